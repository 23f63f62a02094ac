"""Joins a checkpoint's tensors to a family's table: every one is mapped, dropped, or an error."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from converters.checkpoint import Checkpoint
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Family
from converters.layout import Layout
from converters.safetensors_header import StoredTensor
from converters.transforms import IDENTITY, Array, Transform

READABLE = ("F32", "F16", "BF16")
PACKED = ("U8",)
Shape = tuple[int, ...]
Stored = Mapping[str, StoredTensor]


@dataclass(frozen=True)
class Input:
    """A view of one stored tensor."""

    stored: StoredTensor
    layout: Layout


@dataclass(frozen=True)
class Part:
    """Consecutive rows of the file's tensor, from row on: the views that they are made of; none means zeros."""

    inputs: tuple[Input, ...]
    row: int
    n_rows: int


@dataclass(frozen=True)
class SourceTensor:
    """One tensor of the file to be: its rows come from parts, through transform; or all of it is data."""

    name: str
    shape: Shape
    transform: Transform = IDENTITY
    parts: tuple[Part, ...] = ()
    data: Array | None = None

    @property
    def n_rows(self) -> int:
        """Rows as parts and blocks count them; a vector is a column of one-value rows."""
        return _count_rows(self.shape)

    @property
    def n_columns(self) -> int:
        """Values of a row."""
        return self.shape[-1] if len(self.shape) > 1 else 1

    @property
    def stored_bytes(self) -> int:
        """Bytes of the checkpoint that go into it."""
        inputs = (entry for part in self.parts for entry in part.inputs)
        return sum(entry.layout.n_values * entry.stored.item_bytes for entry in inputs)


@dataclass(frozen=True)
class Mapped:
    """All tensors of the file, and the names of stored ones that are left out."""

    sources: list[SourceTensor]
    dropped: list[str]


@dataclass(frozen=True)
class _Place:
    """Where a stored tensor goes: a GGUF name with {i}, the block, and its place among those that go there too."""

    pattern: str
    block: int
    order: tuple[int, int]
    stacked: bool
    companions: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.pattern.replace("{i}", str(self.block))


def map_tensors(checkpoint: Checkpoint, family: Family, n_tokens: int) -> Mapped:
    """Give the tensors of the file; raises UnsupportedModel or BadCheckpoint with the stored tensor's name."""
    stored, dropped = _kept(checkpoint, family)
    table = family.table(stored.keys())
    places = dict(_expand(table, family))
    tied = _tied_output(family.config, stored, family)
    _check_complete(places, table, stored, family, tied)
    dropped += [stored.pop(name).name for name in tied if name in stored]
    companions = {name for targets in places.values() for place in targets for name in place.companions}
    groups: dict[str, list[tuple[_Place, StoredTensor]]] = {}
    for name, tensor in stored.items():
        if name not in places and name not in companions:
            raise UnsupportedModel(
                f"The checkpoint's tensor {tensor.name!r} has no place in the {family.ARCHITECTURE} architecture.",
                hint="The model has a part that the converter does not know.",
            )
        for place in places.get(name, ()):
            groups.setdefault(place.name, []).append((place, tensor))
    made = [SourceTensor(name, data.shape, data=data) for name, data in family.computed().items()]
    shapes = family.shapes()
    return Mapped(made + [_source(group, family, shapes, stored, n_tokens) for group in groups.values()], dropped)


def _kept(checkpoint: Checkpoint, family: Family) -> tuple[dict[str, StoredTensor], list[str]]:
    """Give the tensors by their canonical names, and the names of those that the family drops."""
    kept: dict[str, StoredTensor] = {}
    dropped = []
    for name, tensor in checkpoint.tensors.items():
        canonical = family.canonical(name)
        if family.drops(canonical) or (family.may_be_zero(canonical) and _all_zero(tensor)):
            dropped.append(name)
        elif canonical in kept:
            raise BadCheckpoint(f"The checkpoint holds both {kept[canonical].name!r} and {name!r}.")
        else:
            kept[canonical] = tensor
    return kept, dropped


def _expand(table: Mapping[str, str | tuple[str, ...]], family: Family) -> Iterator[tuple[str, list[_Place]]]:
    """Number the rows of the table: {i} counts blocks, {e} what one tensor of the file holds in a stack."""
    for row, (theirs, ours) in enumerate(table.items()):
        targets = (ours,) if isinstance(ours, str) else ours
        blocks = [i for i in range(family.n_block) if family.has(theirs, i)] if "{i}" in theirs else [0]
        for i, e in product(blocks, range(family.count(theirs) if "{e}" in theirs else 1)):
            companions = tuple(_numbered(name, i, e) for name in family.COMPANIONS.get(theirs, ()))
            places = [_Place(target, i, (row, e), "{e}" in theirs, companions) for target in targets]
            yield _numbered(theirs, i, e), places


def _numbered(name: str, i: int, e: int) -> str:
    return name.replace("{i}", str(i)).replace("{e}", str(e))


def _source(
    group: Sequence[tuple[_Place, StoredTensor]],
    family: Family,
    shapes: Mapping[str, Shape],
    stored: Stored,
    n_tokens: int,
) -> SourceTensor:
    """Join the stored tensors of one tensor of the file: a single one, a stack, or several that follow each other."""
    ordered = sorted(group, key=lambda entry: entry[0].order)
    place = ordered[0][0]
    transform = family.transform(place.pattern)
    parts: list[Part] = []
    shape: Shape = ()
    views = _Views(transform)
    for where, tensor in ordered:
        one, inputs = views.of(tensor, [_companion(stored, name) for name in where.companions])
        if (parts and one[1:] != shape[1:]) or (where.stacked and shape and one != shape):
            raise _wrong_shape(tensor, "those of its neighbours in the file")
        row = parts[-1].row + parts[-1].n_rows if parts else 0
        parts += _parts(inputs, row, _count_rows(one), tensor)
        shape = one if where.stacked or not shape else (shape[0] + one[0], *shape[1:])
    shape = (len(ordered), *shape) if place.stacked else shape
    if transform.packed is not None:
        shape = shapes[place.pattern]
    if place.pattern in family.VOCAB_ROWS:
        return _fit_rows(SourceTensor(place.name, shape, transform, tuple(parts)), n_tokens)
    expected = shapes.get(place.pattern, shape)
    if shape != expected:
        raise _wrong_shape(ordered[0][1], f"config.json's sizes: the file's {place.name} should be {list(expected)}")
    return SourceTensor(place.name, shape, transform, tuple(parts))


def _companion(stored: Stored, name: str) -> StoredTensor:
    if name not in stored:
        raise BadCheckpoint(
            f"The checkpoint has no tensor {name!r}.", hint="A shard is missing: download the model again."
        )
    return stored[name]


class _Views:
    """The views that a transform makes of stored tensors; those of a shape are made once, for experts are many."""

    def __init__(self, transform: Transform) -> None:
        self._transform = transform
        self._readable = READABLE if transform.packed is None else PACKED
        self._known: dict[Shape, list[Layout]] = {}

    def of(self, tensor: StoredTensor, companions: Sequence[StoredTensor]) -> tuple[Shape, list[tuple[Input, ...]]]:
        """Give the shape that a stored tensor contributes, and the views that follow each other in it."""
        columns = [[Input(entry, view) for view in self._layouts(entry)] for entry in (tensor, *companions)]
        inputs = list(zip(*columns, strict=True))
        finals = [entry[0].layout.final_shape for entry in inputs]
        if any(final[1:] != finals[0][1:] or not math.prod(final) for final in finals):
            raise _wrong_shape(tensor, "config.json's sizes")
        return (sum(final[0] for final in finals), *finals[0][1:]), inputs

    def _layouts(self, tensor: StoredTensor) -> list[Layout]:
        if tensor.dtype not in self._readable:
            raise UnsupportedModel(
                f"Tensor {tensor.name!r} is of type {tensor.dtype}, which the converter cannot read.",
                hint="Convert the original model, with BF16, F16 or F32 weights.",
            )
        if not tensor.size_bytes or not tensor.shape:
            raise _wrong_shape(tensor, "what a weight can have")
        if tensor.shape not in self._known:
            self._known[tensor.shape] = self._made(tensor)
        return self._known[tensor.shape]

    def _made(self, tensor: StoredTensor) -> list[Layout]:
        try:
            views = self._transform.layout(Layout.of(tensor.shape))
        except (ValueError, IndexError, ZeroDivisionError) as error:
            raise _wrong_shape(tensor, "config.json's sizes") from error
        except BadCheckpoint as error:
            raise BadCheckpoint(f"Tensor {tensor.name!r}: {error.message}", hint=error.hint) from error
        return [views] if isinstance(views, Layout) else list(views)


def _parts(inputs: Sequence[tuple[Input, ...]], row: int, n_rows: int, tensor: StoredTensor) -> Iterator[Part]:
    """Number the rows that each view gives, of n_rows in all."""
    total = sum(entry[0].layout.n_values for entry in inputs)
    for entry in inputs:
        count, rest = divmod(entry[0].layout.n_values * n_rows, total)
        if rest:
            raise _wrong_shape(tensor, "config.json's sizes")
        yield Part(entry, row, count)
        row += count


def _fit_rows(source: SourceTensor, n_tokens: int) -> SourceTensor:
    """Cut the rows to the number of tokens, or add rows of zeros."""
    (part,) = source.parts
    shape = (n_tokens, *source.shape[1:])
    if n_tokens <= part.n_rows:
        cut = tuple(Input(entry.stored, entry.layout[:n_tokens]) for entry in part.inputs)
        return SourceTensor(source.name, shape, source.transform, (Part(cut, 0, n_tokens),))
    zeros = Part((), part.n_rows, n_tokens - part.n_rows)
    return SourceTensor(source.name, shape, source.transform, (part, zeros))


def _wrong_shape(tensor: StoredTensor, what: str) -> BadCheckpoint:
    return BadCheckpoint(
        f"Tensor {tensor.name!r} has shape {list(tensor.shape)}, which contradicts {what}.",
        hint="config.json and the weights are of different models or versions.",
    )


def _count_rows(shape: Shape) -> int:
    return math.prod(shape[:-1]) if len(shape) > 1 else shape[0]


def _tied_output(config: Mapping[str, object], stored: Stored, family: Family) -> frozenset[str]:
    """Name the output tensor that may be left out: it is missing, or equal to the embedding that it is tied to."""
    tied = config.get("tie_word_embeddings")
    head, embedding = stored.get(family.HEAD), stored.get(family.EMBEDDING)
    if head is None:
        return frozenset() if tied is False else frozenset({family.HEAD})
    equal = bool(tied) and embedding is not None and _same_bytes(head, embedding)
    return frozenset({family.HEAD}) if equal else frozenset()


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


def _all_zero(tensor: StoredTensor) -> bool:
    with tensor.path.open("rb") as file:
        file.seek(tensor.offset)
        remaining = tensor.size_bytes
        while remaining:
            piece = file.read(min(remaining, 1 << 20))
            if not piece or any(piece):
                return False
            remaining -= len(piece)
    return True


def _check_complete(
    places: Mapping[str, object],
    table: Mapping[str, str | tuple[str, ...]],
    stored: Stored,
    family: Family,
    tied: frozenset[str],
) -> None:
    may_miss = {theirs: table[theirs] for theirs in family.OPTIONAL if theirs in table}
    optional = {name for name, _ in _expand(may_miss, family)} | tied
    missing = [name for name in places if name not in stored and name not in optional]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BadCheckpoint(
            f"The checkpoint has no tensor {missing[0]!r}{more}.", hint="A shard is missing: download the model again."
        )
