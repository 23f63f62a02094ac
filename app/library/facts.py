"""What a GGUF file's header says about the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class TensorInfo:
    """One tensor as the header lists it; `shape` is in ggml's order (row length first)."""

    name: str
    shape: tuple[int, ...]
    ggml_type: int
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True)
class ModelFacts:
    """The facts of one model file that planning and listing need.

    `metadata` holds every scalar and every short array (up to 4096 items, as a tuple); a longer array, the tokenizer's,
    stands as a `SkippedArray`.
    """

    path: str
    size_bytes: int
    architecture: str
    name: str
    parameters: int
    file_type: str
    n_layers: int
    context_length: int
    n_vocab: int
    chat_template: str
    license: str
    metadata: Mapping[str, Any]
    tensors: tuple[TensorInfo, ...]

    @cached_property
    def sums(self) -> dict[Any, Any]:
        """What planning added up once for this model, kept as long as its facts are."""
        return {}

    @property
    def n_tensors(self) -> int:
        """How many tensors the file holds."""
        return len(self.tensors)

    def hyperparameter(self, key: str, default: Any = None) -> Any:
        """Return the value of `<architecture>.<key>`."""
        return self.metadata.get(f"{self.architecture}.{key}", default)


@dataclass(frozen=True)
class SkippedArray:
    """An array of the header that was passed over: its item type (GGUF's number), its length and its place."""

    item_type: int
    length: int
    offset_bytes: int
