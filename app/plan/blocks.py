"""A model's tensors layer by layer; layers that hold the same tensors are one kind, and there are few kinds."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from app.library.facts import ModelFacts, TensorInfo

T = TypeVar("T")
ROUTED_EXPERTS = re.compile(r"ffn_(up|down|gate|gate_up)_(ch)?exps\.")


class Part(NamedTuple):
    """One tensor of a layer; `name` is what follows the layer's number ("ffn_up.weight"); routed experts are marked."""

    name: str
    ggml_type: int
    size_bytes: int
    shape: tuple[int, ...]
    is_expert: bool


@dataclass(frozen=True)
class Blocks:
    """The tensors of one layer of each kind, each layer's kind, and the tensors that belong to no layer."""

    kinds: tuple[tuple[Part, ...], ...]
    kind_of: tuple[int, ...]
    others: tuple[TensorInfo, ...]

    def each(self, ask: Callable[[tuple[Part, ...]], T]) -> list[T]:
        """Return an answer for each layer; asks once for each kind."""
        answers = [ask(parts) for parts in self.kinds]
        return [answers[kind] for kind in self.kind_of]


def blocks_of(facts: ModelFacts) -> Blocks:
    """Return a model's tensors by layer, sorted once for each model; those of layers it does not have are left out."""
    if "blocks" not in facts.sums:
        facts.sums["blocks"] = _sorted(facts)
    blocks: Blocks = facts.sums["blocks"]
    return blocks


def _sorted(facts: ModelFacts) -> Blocks:
    # One flat list a layer, for there are a thousand tensors: parts are made of what is seen for the first time.
    layers: dict[str, list[Any]] = {str(layer): [] for layer in range(facts.n_layers)}
    others = []
    for tensor in facts.tensors:
        words = tensor.name.split(".", 2)
        if words[0] != "blk" or len(words) < 3:
            others.append(tensor)
        elif (layer := layers.get(words[1])) is not None:
            layer += (words[2], tensor.ggml_type, tensor.size_bytes, tensor.shape)
    kinds: dict[tuple[Any, ...], int] = {}
    kind_of = tuple(kinds.setdefault(tuple(layer), len(kinds)) for layer in layers.values())
    return Blocks(tuple(map(_parts, kinds)), kind_of, tuple(others))


def _parts(layer: tuple[Any, ...]) -> tuple[Part, ...]:
    columns = (layer[place::4] for place in range(4))
    return tuple(
        Part(name, ggml_type, size_bytes, shape, is_expert=ROUTED_EXPERTS.match(name) is not None)
        for name, ggml_type, size_bytes, shape in zip(*columns, strict=True)
    )
