"""Granite 4: HF GraniteMoeHybridForCausalLM, GGUF architecture "granitehybrid"; "granite" or "granitemoe" where no
layer is a Mamba 2 layer.

Source: HF modeling_granitemoehybrid.py; llama.cpp conversion/granite.py, src/models/granite-hybrid.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Family, Target, size
from converters.families.config import words
from converters.families.granitemoe import GraniteMoe
from converters.families.mamba2 import Mamba2Sizes, mixer_names
from converters.jsonfile import JsonObject
from converters.quant_types import ModelSizes
from converters.transforms import Transform
from converters.values import Value, flag, i32s, u32

_MIXER = mixer_names("model.layers.{i}.mamba")
_IS_ATTENTION = {"attention": True, "full_attention": True, "mamba": False, "linear_attention": False}
_ENDLESS_CONTEXT = 1 << 20  # what llama.cpp's converter states for models without positions


@dataclass(frozen=True)
class GraniteMoeHybrid(GraniteMoe):
    """Granite whose layers are attention without positions, or Mamba 2; with experts or without."""

    ARCHITECTURE = "granitehybrid"
    DEFAULTS: ClassVar[JsonObject] = GraniteMoe.DEFAULTS | {
        "mamba_n_heads": 128, "mamba_n_groups": 1, "mamba_d_state": 256, "mamba_d_conv": 4, "mamba_expand": 2,
    }  # fmt: skip
    OPTIONAL = GraniteMoe.OPTIONAL | {"model.layers.{i}.mamba.conv1d.bias"}
    TOKENIZERS = ("sentencepiece", "bpe")
    PRE_TOKENIZERS = ("dbrx",)

    n_ssm_head: int = size("mamba_n_heads")
    n_ssm_group: int = size("mamba_n_groups")
    d_state: int = size("mamba_d_state")
    d_conv: int = size("mamba_d_conv")
    ssm_expand: int = size("mamba_expand")

    @classmethod
    def variant(cls, config: JsonObject) -> type[Family]:
        """Give the class for this config: hybrid, or all attention with experts or without."""
        kinds = config.get("layer_types")
        if not isinstance(kinds, list) or any(not _is_attention(kind) for kind in kinds):
            return cls
        return AllAttentionMoe if config.get("num_experts_per_tok") else AllAttention

    @property
    def attention_layers(self) -> list[bool]:
        """Which layers are attention."""
        kinds = words(self.config, "layer_types", self.n_layer)
        return [_is_attention(kind) for kind in kinds] if kinds else [False] * self.n_layer

    @property
    def mamba(self) -> Mamba2Sizes:
        """Sizes of a Mamba 2 layer."""
        d_inner = self.ssm_expand * self.n_embd
        return Mamba2Sizes(self.n_embd, d_inner, self.n_ssm_head, self.n_ssm_group, self.d_state, self.d_conv)

    def check(self) -> None:
        """Refuse sizes that cannot be, and what the engine does not do."""
        super().check()
        if not all(self.attention_layers):
            self.mamba.check()
            if self.ssm_expand != 2:
                raise UnsupportedModel(
                    f"This model's Mamba 2 layers are {self.ssm_expand} times as wide as its states; llama.cpp knows 2."
                )
        if self.config.get("hidden_act", "silu") != "silu":
            raise UnsupportedModel(f"This Granite model's activation is {self.config['hidden_act']!r}, not silu.")

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the tensor table: that of Granite with experts, and a Mamba 2 layer's."""
        return {**super().table(names), **_MIXER}

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor: one of attention, of Mamba 2, or of all layers."""
        if i >= self.n_layer:
            return False
        is_attention = self.attention_layers[i]
        return is_attention if ".self_attn." in theirs else not is_attention if theirs in _MIXER else True

    def metadata(self) -> dict[str, Value]:
        """Give the keys of Granite, the Mamba 2 layer's, and which layers are which: those with key-value heads."""
        a = self.ARCHITECTURE
        has_rope = all(self.attention_layers)
        values = {
            **super().metadata(),
            **self.mamba.metadata(a),
            f"{a}.attention.head_count_kv": i32s([self.n_head_kv * attends for attends in self.attention_layers]),
            f"{a}.rope.scaling.finetuned": flag(has_rope),  # how llama.cpp tells whether there are positions
        }
        return values if has_rope else values | {f"{a}.context_length": u32(_ENDLESS_CONTEXT)}

    def model_sizes(self) -> ModelSizes:
        """Give the sizes that the type chooser looks at; a Mamba 2 layer has no key-value heads."""
        return replace(super().model_sizes(), n_head_kv=self.n_head_kv * self.attention_layers[0])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        return super().shapes() | self.mamba.shapes()

    def transform(self, pattern: str) -> Transform:
        """Give how a tensor comes out of the stored one."""
        return self.mamba.transform(pattern) if ".ssm_" in pattern else super().transform(pattern)

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Give nothing: none of Llama's vocabularies is used."""
        return {}


@dataclass(frozen=True)
class AllAttention(GraniteMoeHybrid):
    """Granite 4 without Mamba 2 layers and without experts."""

    ARCHITECTURE = "granite"


@dataclass(frozen=True)
class AllAttentionMoe(GraniteMoeHybrid):
    """Granite 4 without Mamba 2 layers, with experts."""

    ARCHITECTURE = "granitemoe"


def _is_attention(kind: object) -> bool:
    if str(kind) not in _IS_ATTENTION:
        raise BadCheckpoint(f"config.json: a layer is of kind {str(kind)[:80]!r}, which is not known.")
    return _IS_ATTENTION[str(kind)]
