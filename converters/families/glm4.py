"""GLM-4 (0414 and Z1) and the text part of GLM-4.1V: HF Glm4ForCausalLM and Glm4vForConditionalGeneration.

GGUF architecture "glm4". Source: HF modeling_glm4.py, modeling_glm4v.py; llama.cpp conversion/glm.py,
src/models/glm4.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Family, Target
from converters.families.decoder import ATTENTION, EMBEDDINGS, QKV_BIASES, Decoder, block_names
from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.rope import rope_number
from converters.jsonfile import JsonObject
from converters.transforms import IDENTITY, Transform, rope_halves
from converters.values import Value, u32

_NAMES = {"input_layernorm": "attn_norm", "post_self_attn_layernorm": "post_attention_norm",
          "post_attention_layernorm": "ffn_norm", "post_mlp_layernorm": "post_ffw_norm",
          "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}  # fmt: skip
_ROTARY = ("blk.{i}.attn_q.", "blk.{i}.attn_k.")


@dataclass(frozen=True)
class Glm4(Decoder):
    """A decoder with four norms a layer, gate and up in one tensor, and rotary embeddings on half of a head."""

    ARCHITECTURE = "glm4"
    DEFAULTS: ClassVar[JsonObject] = {
        "max_position_embeddings": 131072, "partial_rotary_factor": 0.5, "rms_norm_eps": 1.5625e-07,
        "rope_theta": 10000.0,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**EMBEDDINGS, **ATTENTION, **QKV_BIASES, **block_names(_NAMES)}
    OPTIONAL = frozenset(QKV_BIASES)
    DROPPED = (*Decoder.DROPPED, *OTHER_SENSES)
    PREFIXES: ClassVar[Mapping[str, str]] = TEXT_PREFIXES
    TOKENIZERS = ("bpe",)
    PRE_TOKENIZERS = ("glm4", "chatglm-bpe")
    SPECIAL_TOKENS: ClassVar[Mapping[str, str]] = {
        "bos": "<|endoftext|>", "eos": "<|endoftext|>", "unk": "<|endoftext|>", "eot": "<|user|>",
    }  # fmt: skip

    @classmethod
    def variant(cls, config: JsonObject) -> type[Family]:
        """Give the class for this config: text alone has a default for head_dim."""
        return Glm4Text if config.get("model_type") == "glm4" else cls

    @property
    def n_rot(self) -> int:
        """Rows of a head with rotary embeddings."""
        return int(self.head_dim * rope_number(self.rope, "partial_rotary_factor", 0.5))

    def check(self) -> None:
        """Refuse head counts and rotary rows that cannot be."""
        super().check()
        if not 0 < self.n_rot <= self.head_dim or self.n_rot % 2:
            raise BadCheckpoint(f"config.json: {self.n_rot} of {self.head_dim} rows of a head cannot be rotary.")

    def metadata(self) -> dict[str, Value]:
        """Give the keys that config.json states, and how many rows of a head are rotary."""
        return super().metadata() | {f"{self.ARCHITECTURE}.rope.dimension_count": u32(self.n_rot)}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; ffn_up holds the gate too."""
        return super().shapes() | {
            "blk.{i}.post_attention_norm.weight": (self.n_embd,),
            "blk.{i}.post_ffw_norm.weight": (self.n_embd,),
            "blk.{i}.ffn_up.weight": (2 * self.n_ff, self.n_embd),
        }

    def transform(self, pattern: str) -> Transform:
        """With sections of positions, reorder rotary rows of queries and keys: llama.cpp then only knows halves."""
        reorders = "mrope_section" in self.rope and pattern.startswith(_ROTARY)
        return rope_halves(self.head_dim, self.n_rot) if reorders else IDENTITY


@dataclass(frozen=True)
class Glm4Text(Glm4):
    """GLM-4 whose config.json may leave out head_dim."""

    DEFAULTS: ClassVar[JsonObject] = Glm4.DEFAULTS | {"head_dim": 128}
