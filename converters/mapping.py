"""Joins a checkpoint's tensors to a family's table: every one is mapped, dropped, or an error."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from converters.checkpoint import Checkpoint
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Family
from converters.safetensors_header import StoredTensor
from converters.transforms import IDENTITY, Array, RowTransform

READABLE = ("F32", "F16", "BF16")


@dataclass(frozen=True)
class Part:
    """Consecutive rows of the file's tensor, from row on, that one stored tensor gives whole."""

    stored: StoredTensor
    row: int
    n_rows: int


@dataclass(frozen=True)
class SourceTensor:
    """One tensor of the file to be: its rows come from parts, through transform; or all of it is data."""

    name: str
    shape: tuple[int, ...]
    transform: RowTransform = IDENTITY
    parts: tuple[Part, ...] = ()
    data: Array | None = None

    @property
    def n_rows(self) -> int:
        """Rows as transforms and blocks count them; a vector is a column of one-value rows."""
        return _count_rows(self.shape)

    @property
    def n_columns(self) -> int:
        """Values of a row."""
        return self.shape[-1] if len(self.shape) > 1 else 1

    @property
    def stored_bytes(self) -> int:
        """Bytes that it takes in the checkpoint."""
        return sum(part.stored.size_bytes for part in self.parts)


@dataclass(frozen=True)
class _Place:
    """Where a tensor of the checkpoint goes: a GGUF name with {i}, the block and, in a stack, the expert."""

    pattern: str
    block: int
    expert: int
    stacked: bool

    @property
    def name(self) -> str:
        return self.pattern.replace("{i}", str(self.block))


def map_tensors(checkpoint: Checkpoint, family: Family) -> list[SourceTensor]:
    """Give the tensors of the file; raises UnsupportedModel or BadCheckpoint with the tensor's name."""
    table = {name: place for theirs, ours in family.TENSORS.items() for name, place in _places(theirs, ours, family)}
    tied = _tied_output(checkpoint)
    dropped = re.compile("|".join(family.DROPPED) or r"(?!)")
    kept = {name: t for name, t in checkpoint.tensors.items() if name not in tied and not dropped.fullmatch(name)}
    _check_complete(table, checkpoint, family, tied)
    groups: dict[str, list[tuple[_Place, StoredTensor]]] = {}
    for name, stored in kept.items():
        if name not in table:
            raise UnsupportedModel(
                f"The checkpoint's tensor {name!r} has no place in the {family.ARCHITECTURE} architecture.",
                hint="The model has a part that the converter does not know.",
            )
        groups.setdefault(table[name].name, []).append((table[name], stored))
    made = [SourceTensor(name, data.shape, data=data) for name, data in family.computed().items()]
    return made + [_source(group, family) for group in groups.values()]


def _places(theirs: str, ours: str, family: Family) -> Iterator[tuple[str, _Place]]:
    """Number a row of the table: {i} counts blocks, {e} experts, which one tensor of the file holds in a stack."""
    n_expert = family.model_sizes().n_expert
    for i, e in product(range(family.n_layer if "{i}" in theirs else 1), range(n_expert if "{e}" in theirs else 1)):
        yield theirs.replace("{i}", str(i)).replace("{e}", str(e)), _Place(ours, i, e, "{e}" in theirs)


def _source(group: Sequence[tuple[_Place, StoredTensor]], family: Family) -> SourceTensor:
    """Join the stored tensors of one tensor of the file: a single one, or a stack in the order of experts."""
    ordered = sorted(group, key=lambda entry: entry[0].expert)
    place, first = ordered[0]
    transform = family.transform(place.pattern)
    expected = family.shapes().get(place.pattern)
    if expected is None:
        expected = (len(ordered), *first.shape) if place.stacked else first.shape
    one = expected[1:] if place.stacked else expected
    for _, stored in ordered:
        _check_stored(stored, one, transform)
    n_rows = _count_rows(one)
    parts = tuple(Part(stored, index * n_rows, n_rows) for index, (_, stored) in enumerate(ordered))
    return SourceTensor(place.name, expected, transform, parts)


def _check_stored(stored: StoredTensor, expected: tuple[int, ...], transform: RowTransform) -> None:
    if stored.dtype not in READABLE:
        raise UnsupportedModel(
            f"Tensor {stored.name!r} is of type {stored.dtype}, which the converter cannot read.",
            hint="Convert the original model, with BF16, F16 or F32 weights.",
        )
    if (
        stored.shape != expected
        or not stored.size_bytes
        or not expected
        or _count_rows(expected) % transform.group_rows
    ):
        raise BadCheckpoint(
            f"Tensor {stored.name!r} has shape {list(stored.shape)}; config.json's sizes ask for {list(expected)}.",
            hint="config.json and the weights are of different models or versions.",
        )


def _count_rows(shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-1]) if len(shape) > 1 else shape[0]


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


def _check_complete(table: Mapping[str, _Place], checkpoint: Checkpoint, family: Family, tied: frozenset[str]) -> None:
    optional = {name for theirs in family.OPTIONAL for name, _ in _places(theirs, "", family)} | tied
    missing = [name for name in table if name not in checkpoint.tensors and name not in optional]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BadCheckpoint(
            f"The checkpoint has no tensor {missing[0]!r}{more}.", hint="A shard is missing: download the model again."
        )
