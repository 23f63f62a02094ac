"""Cuts the work into blocks: a stretch of the checkpoint that is read once, and all the rows that are made of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from converters.layout import Layout
from converters.mapping import Input, Part, SourceTensor
from converters.safetensors_header import StoredTensor

READ_AHEAD = 2  # blocks that are read while as many as there are threads are computed
BLOCK_VALUES = 1 << 20  # values of a piece: small enough to cancel within a fraction of a second


@dataclass(frozen=True)
class Piece:
    """Some whole rows of one tensor of the file, and the views that they are made of; without any: data, or zeros."""

    source: SourceTensor
    inputs: tuple[Input, ...]
    first_row: int
    n_rows: int


@dataclass(frozen=True)
class Span:
    """Consecutive values of one stored tensor."""

    stored: StoredTensor
    first: int
    stop: int

    @property
    def offset(self) -> int:
        """Where its first byte lies in the file."""
        return self.stored.offset + self.first * self.stored.item_bytes

    @property
    def size_bytes(self) -> int:
        """Bytes to read."""
        return (self.stop - self.first) * self.stored.item_bytes


@dataclass(frozen=True)
class Block:
    """What is read at once, and everything made of it."""

    spans: tuple[Span, ...]
    pieces: tuple[Piece, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes to read."""
        return sum(span.size_bytes for span in self.spans)


def blocks_of(sources: Sequence[SourceTensor]) -> Iterator[Block]:
    """Cut all tensors into blocks, in the order in which the checkpoint stores them; a stack takes no memory."""
    stored: dict[str, list[tuple[SourceTensor, Part]]] = {}
    for source in sources:
        for part in source.parts or (Part((), 0, source.n_rows),):
            if part.inputs:
                stored.setdefault(part.inputs[0].stored.name, []).append((source, part))
            else:
                yield from (Block((), (piece,)) for piece in _made(source, part))
    for group in sorted(stored.values(), key=_place):
        yield from _merged([piece for source, part in group for piece in _pieces(source, part)])


def _place(group: Sequence[tuple[SourceTensor, Part]]) -> tuple[str, int]:
    stored = group[0][1].inputs[0].stored
    return str(stored.path), stored.offset


def _made(source: SourceTensor, part: Part) -> Iterator[Piece]:
    """Cut rows that no stored tensor gives: computed data, or zeros."""
    step = max(1, BLOCK_VALUES // source.n_columns)
    for row in range(0, part.n_rows, step):
        yield Piece(source, (), part.row + row, min(step, part.n_rows - row))


def _pieces(source: SourceTensor, part: Part) -> Iterator[Piece]:
    layout = part.inputs[0].layout
    row_values = layout.n_values // part.n_rows
    row = part.row
    for key in layout.cuts(BLOCK_VALUES, row_values):
        inputs = tuple(Input(entry.stored, entry.layout[key]) for entry in part.inputs)
        n_rows = inputs[0].layout.n_values // row_values
        yield Piece(source, inputs, row, n_rows)
        row += n_rows


def _merged(pieces: Sequence[Piece]) -> Iterator[Block]:
    """Join pieces that are made of the same stretch, as the halves of interleaved rows are."""
    waiting: list[Piece] = []
    stop = 0
    for piece in sorted(pieces, key=lambda piece: piece.inputs[0].layout.span[0]):
        first, last = piece.inputs[0].layout.span
        if waiting and first >= stop:
            yield _block(waiting)
            waiting, stop = [], 0
        waiting.append(piece)
        stop = max(stop, last)
    if waiting:
        yield _block(waiting)


def _block(pieces: Sequence[Piece]) -> Block:
    spans = []
    for inputs in zip(*(piece.inputs for piece in pieces), strict=True):
        edges = [entry.layout.span for entry in inputs]
        spans.append(Span(inputs[0].stored, min(first for first, _ in edges), max(stop for _, stop in edges)))
    return Block(tuple(spans), tuple(pieces))


def largest_block_values(sources: Sequence[SourceTensor]) -> int:
    """Give how many values the largest block holds at most, from shapes alone."""
    parts = (part for source in sources for part in source.parts if part.inputs)
    kinds = {(part.inputs[0].layout, part.n_rows) for part in parts}  # experts are many, their shapes few
    return max((_largest_cut(layout, n_rows) for layout, n_rows in kinds), default=0)


def _largest_cut(layout: Layout, n_rows: int) -> int:
    key = next(iter(layout.cuts(BLOCK_VALUES, layout.n_values // n_rows)))
    return layout[key].n_values
