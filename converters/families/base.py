"""What every architecture module says about itself: sizes read by name, a tensor table, metadata, transforms."""

import dataclasses
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin

from converters.errors import BadCheckpoint
from converters.families.config import find, text_metadata
from converters.families.rope import rope_metadata, rope_settings
from converters.jsonfile import JsonObject
from converters.quant_types import ModelSizes, sizes_from_metadata
from converters.transforms import IDENTITY, Array, Transform
from converters.values import Value, text

MAX_LAYERS = 4096
MAX_EXPERTS = 4096
_REQUIRED = object()
Target = str | tuple[str, ...]


def size(key: str, default: Any = _REQUIRED) -> Any:
    """Declare a size of a family: its name in config.json, and the HF class's default if it has one."""
    return dataclasses.field(metadata={"key": key, "default": default})


@dataclass(frozen=True)
class Family:
    """One architecture. Subclasses declare sizes with size(), and fill the tables.

    DEFAULTS are the HF class's own values of keys that config.json may leave out.
    TENSORS maps a name in the checkpoint to a name in the file, or to several when the stored tensor is split among
    them. {i} stands for the block; {e} for an expert, which the file holds in a stack; without {e}, stored tensors with
    the same name in the file follow each other along the first axis, in the table's order.
    COMPANIONS maps a name of TENSORS to the stored tensors that are read together with it (Transform.join).
    OPTIONAL are the names of TENSORS that may be missing; DROPPED are regular expressions of names that are left out on
    purpose, ZEROS of those that are left out where every value is zero. All these speak of names after canonical(),
    which strips PREFIXES (replaced at a name's start).
    HEAD and EMBEDDING are the two tensors that may be tied. VOCAB_ROWS are tensors of the file whose rows are cut or
    filled with zeros to the number of tokens. TOKENIZERS are the kinds of tokenizer to look for, in this order;
    PRE_TOKENIZERS are names to try first, where several of llama.cpp's do the same and this one is customary.
    SPECIAL_TOKENS are the texts of tokens with a duty (eot, eom, …) whatever the tokenizer's files say.
    """

    ARCHITECTURE: ClassVar[str]
    DEFAULTS: ClassVar[JsonObject] = {}
    TENSORS: ClassVar[Mapping[str, Target]]
    COMPANIONS: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()
    ZEROS: ClassVar[tuple[str, ...]] = ()
    DROPPED: ClassVar[tuple[str, ...]] = (r".*\.rotary_emb\.inv_freq", r".*\.attention\.(masked_)?bias")
    PREFIXES: ClassVar[Mapping[str, str]] = {}
    HEAD: ClassVar[str] = "lm_head.weight"
    EMBEDDING: ClassVar[str] = "model.embed_tokens.weight"
    VOCAB_ROWS: ClassVar[frozenset[str]] = frozenset()
    TOKENIZERS: ClassVar[tuple[str, ...]] = ("tekken", "sentencepiece", "spm_bpe", "bpe")
    PRE_TOKENIZERS: ClassVar[tuple[str, ...]] = ()
    PACKED_METHODS: ClassVar[frozenset[str]] = frozenset()
    SPECIAL_TOKENS: ClassVar[Mapping[str, str]] = {}

    config: JsonObject = dataclasses.field(repr=False, metadata={"key": None})
    n_layer: int = size("num_hidden_layers")

    @classmethod
    def from_config(cls, config: JsonObject, names: Collection[str] = ()) -> Self:
        """Read the sizes; names are those of the stored tensors. Raises BadCheckpoint that names the senseless one."""
        stated = {key: value for key, value in config.items() if value is not None}
        n_layer = stated.get("num_hidden_layers")
        if isinstance(n_layer, int) and n_layer > MAX_LAYERS:  # before lists of that length are made
            raise BadCheckpoint(f"config.json claims {n_layer} layers.")
        config = cls.completed({**cls.DEFAULTS, **stated}, names)
        fields = [field for field in dataclasses.fields(cls) if field.metadata["key"] is not None]
        family = cls(config=config, **{field.name: _read(config, field) for field in fields})
        if not 0 < family.n_layer <= family.n_block <= MAX_LAYERS:
            raise BadCheckpoint(f"config.json claims {family.n_layer} layers.")
        if not 0 <= family.n_expert <= MAX_EXPERTS:
            raise BadCheckpoint(f"config.json claims {family.n_expert} experts.")
        family.check()
        family.metadata()  # so that a senseless value is found now
        return family

    @classmethod
    def variant(cls, config: JsonObject) -> "type[Family]":
        """Give the class for this config, where one HF class stands for several architectures."""
        return cls

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the config with what it leaves to be inferred, as from the stored tensors' names."""
        return config

    def canonical(self, name: str) -> str:
        """Give a stored tensor's name as the tables have it."""
        for theirs, ours in self.PREFIXES.items():
            if name.startswith(theirs):
                return ours + name.removeprefix(theirs)
        return name

    def drops(self, name: str) -> bool:
        """Tell whether a stored tensor is left out on purpose, by its canonical name."""
        return _any_of(self.DROPPED).fullmatch(name) is not None

    def may_be_zero(self, name: str) -> bool:
        """Tell whether a stored tensor is left out if every value is zero, by its canonical name."""
        return _any_of(self.ZEROS).fullmatch(name) is not None

    @property
    def n_block(self) -> int:
        """Blocks of the file: the layers, and those that predict further tokens where the file keeps them."""
        return self.n_layer

    @property
    def n_expert(self) -> int:
        """Experts of a layer; 0 for a dense model."""
        count = find(self.config, "num_local_experts", "num_experts", "n_routed_experts")
        return count if type(count) is int else 0

    @property
    def rope(self) -> JsonObject:
        """The rotary settings, from wherever config.json has them."""
        return rope_settings(self.config)

    def check(self) -> None:
        """Raise BadCheckpoint when the sizes contradict each other."""

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the tensor table for a checkpoint with these canonical names; several forms of saving may exist."""
        return self.TENSORS

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor of this name with {i}; where blocks are of several kinds."""
        return i < self.n_layer

    def count(self, theirs: str) -> int:
        """Give how many stored tensors {e} stands for."""
        return self.n_expert

    def metadata(self) -> dict[str, Value]:
        """Give the architecture's own keys, without general.* and tokenizer.*; here what config.json states plainly."""
        values = text_metadata(self.ARCHITECTURE, self.config, self.n_block)
        return values | rope_metadata(self.ARCHITECTURE, self.rope)

    def model_sizes(self) -> ModelSizes:
        """Give the sizes that the type chooser looks at: those that llama.cpp will read."""
        return sizes_from_metadata({"general.architecture": text(self.ARCHITECTURE), **self.metadata()})

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the expected shape, outermost first, of tensors by their GGUF name with {i}; others go unchecked."""
        return {}

    def transform(self, pattern: str) -> Transform:
        """Give how a tensor of the file comes out of the stored one, by its GGUF name with {i}."""
        return IDENTITY

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Give tokenizer.* values that only this architecture has, or fixes whatever the tokenizer's files say."""
        return {}

    def computed(self) -> dict[str, Array]:
        """Give the F32 tensors of the file that no tensor of the checkpoint holds."""
        return {}


@lru_cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")


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
