"""Joins a checkpoint's tensors to a family's table: every one is mapped, dropped, or an error."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from converters.checkpoint import Checkpoint
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Family
from converters.safetensors_header import StoredTensor
from converters.transforms import IDENTITY, Array, RowTransform

READABLE = ("F32", "F16", "BF16")


@dataclass(frozen=True)
class SourceTensor:
    """One tensor of the file to be: its rows come from stored, through transform; or all of it is data."""

    name: str
    shape: tuple[int, ...]
    transform: RowTransform
    stored: StoredTensor | None
    data: Array | None = None

    @property
    def n_rows(self) -> int:
        """Rows as transforms and blocks count them; a vector is a column of one-value rows."""
        return math.prod(self.shape[:-1]) if len(self.shape) > 1 else self.shape[0]

    @property
    def n_columns(self) -> int:
        """Values of a row."""
        return self.shape[-1] if len(self.shape) > 1 else 1


def map_tensors(checkpoint: Checkpoint, family: Family) -> list[SourceTensor]:
    """Give the tensors of the file; raises UnsupportedModel or BadCheckpoint with the tensor's name."""
    table = {
        _numbered(theirs, i): (ours, i) for theirs, ours in family.TENSORS.items() for i in _blocks(theirs, family)
    }
    tied = _tied_output(checkpoint)
    dropped = re.compile("|".join(family.DROPPED) or r"(?!)")
    mapped = []
    for name, stored in checkpoint.tensors.items():
        if name in tied or dropped.fullmatch(name):
            continue
        if name not in table:
            raise UnsupportedModel(
                f"The checkpoint's tensor {name!r} has no place in the {family.ARCHITECTURE} architecture.",
                hint="The model has a part that the converter does not know.",
            )
        mapped.append(_source(stored, *table[name], family))
    _check_complete(table, checkpoint, family, tied)
    made = [SourceTensor(name, data.shape, IDENTITY, None, data) for name, data in family.computed().items()]
    return made + mapped


def _blocks(pattern: str, family: Family) -> range:
    return range(family.n_layer) if "{i}" in pattern else range(1)


def _numbered(pattern: str, i: int) -> str:
    return pattern.replace("{i}", str(i))


def _source(stored: StoredTensor, pattern: str, i: int, family: Family) -> SourceTensor:
    if stored.dtype not in READABLE:
        raise UnsupportedModel(
            f"Tensor {stored.name!r} is of type {stored.dtype}, which the converter cannot read.",
            hint="Convert the original model, with BF16, F16 or F32 weights.",
        )
    expected = family.shapes().get(pattern, stored.shape)
    transform = family.transform(pattern)
    source = SourceTensor(_numbered(pattern, i), stored.shape, transform, stored)
    if stored.shape != expected or not stored.size_bytes or not stored.shape or source.n_rows % transform.group_rows:
        raise BadCheckpoint(
            f"Tensor {stored.name!r} has shape {list(stored.shape)}; config.json's sizes ask for {list(expected)}.",
            hint="config.json and the weights are of different models or versions.",
        )
    return source


def _tied_output(checkpoint: Checkpoint) -> frozenset[str]:
    """Name the output tensor that may be left out: it is missing, or equal to the embedding that it is tied to."""
    tied = checkpoint.config.get("tie_word_embeddings")
    head, embedding = checkpoint.tensors.get("lm_head.weight"), checkpoint.tensors.get("model.embed_tokens.weight")
    if head is None:
        return frozenset() if tied is False else frozenset({"lm_head.weight"})
    equal = bool(tied) and embedding is not None and _same_bytes(head, embedding)
    return frozenset({"lm_head.weight"}) if equal else frozenset()


def _same_bytes(one: StoredTensor, other: StoredTensor) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    with one.path.open("rb") as left, other.path.open("rb") as right:
        left.seek(one.offset)
        right.seek(other.offset)
        remaining = one.size_bytes
        while remaining:
            length = min(remaining, 1 << 20)
            if left.read(length) != right.read(length):
                return False
            remaining -= length
    return True


def _check_complete(
    table: Mapping[str, tuple[str, int]], checkpoint: Checkpoint, family: Family, tied: frozenset[str]
) -> None:
    optional = {_numbered(name, i) for name in family.OPTIONAL for i in range(family.n_layer)} | tied
    missing = [name for name in table if name not in checkpoint.tensors and name not in optional]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BadCheckpoint(
            f"The checkpoint has no tensor {missing[0]!r}{more}.", hint="A shard is missing: download the model again."
        )
