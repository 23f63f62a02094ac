"""What every architecture module says about itself: sizes read by name, a tensor table, metadata, transforms."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject
from converters.quant_types import ModelSizes
from converters.transforms import IDENTITY, Array, RowTransform
from converters.values import Value

MAX_LAYERS = 4096
_REQUIRED = object()


def size(key: str, default: Any = _REQUIRED) -> Any:
    """Declare a size of a family: its name in config.json, and the HF class's default if it has one."""
    return dataclasses.field(metadata={"key": key, "default": default})


@dataclass(frozen=True)
class Family:
    """One architecture. Subclasses declare sizes with size(), and fill the tables.

    TENSORS maps a name in the checkpoint to a name in the file; {i} stands for the block number. OPTIONAL are the
    checkpoint names that may be missing; DROPPED are regular expressions of those that are left out on purpose;
    PRE_TOKENIZERS are names to try first, where several of llama.cpp's do the same and this one is customary.
    """

    ARCHITECTURE: ClassVar[str]
    TENSORS: ClassVar[Mapping[str, str]]
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()
    DROPPED: ClassVar[tuple[str, ...]] = ()
    PRE_TOKENIZERS: ClassVar[tuple[str, ...]] = ()

    n_layer: int = size("num_hidden_layers")

    @classmethod
    def from_config(cls, config: JsonObject) -> Self:
        """Read the sizes; raises BadCheckpoint that names the missing or senseless one."""
        family = cls(**{field.name: _read(config, field) for field in dataclasses.fields(cls)})
        if not 0 < family.n_layer <= MAX_LAYERS:
            raise BadCheckpoint(f"config.json claims {family.n_layer} layers.")
        family.check()
        return family

    def check(self) -> None:
        """Raise BadCheckpoint when the sizes contradict each other."""

    def metadata(self) -> dict[str, Value]:
        """Give the architecture's own keys, without general.* and tokenizer.*."""
        raise NotImplementedError

    def model_sizes(self) -> ModelSizes:
        """Give the sizes that the type chooser looks at."""
        raise NotImplementedError

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the expected shape, outermost first, of tensors by their GGUF name with {i}; others go unchecked."""
        return {}

    def transform(self, pattern: str) -> RowTransform:
        """Give the step that a tensor's rows take, by its GGUF name with {i}."""
        return IDENTITY

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Give tokenizer.* values that only this architecture has, or fixes whatever the tokenizer's files say."""
        return {}

    def computed(self) -> dict[str, Array]:
        """Give the F32 tensors of the file that no tensor of the checkpoint holds."""
        return {}


def _read(config: JsonObject, field: "dataclasses.Field[Any]") -> Any:
    key, default = field.metadata["key"], field.metadata["default"]
    value = config.get(key)
    if value is None:
        if default is _REQUIRED:
            raise BadCheckpoint(
                f"config.json has no {key}.", hint="The model's config is not complete: download it again."
            )
        return default
    if not _fits(value, _kinds(field.type)):
        raise BadCheckpoint(f"config.json: {key} is {str(value)[:80]!r}, which makes no sense there.")
    return value


def _kinds(annotation: Any) -> set[Any]:
    options = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return {get_origin(option) or option for option in options}


def _fits(value: Any, kinds: set[Any]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, int):
        return bool(kinds & {int, float}) and 0 <= value < 1 << 31
    return isinstance(value, tuple(kinds)) and not (isinstance(value, float) and not math.isfinite(value))
