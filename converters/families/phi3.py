"""Phi-3, Phi-3.5 and Phi-4: HF Phi3ForCausalLM, GGUF architecture "phi3".

Source: HF modeling_phi3.py, configuration_phi3.py; llama.cpp conversion/phi.py, src/models/phi3.cpp.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from converters.errors import BadCheckpoint
from converters.families.base import Family, Target, size
from converters.families.decoder import EMBEDDINGS, NORMS, Decoder, block_names
from converters.families.rope import rope_number
from converters.jsonfile import JsonObject
from converters.transforms import Array
from converters.values import Value, f32, u32


@dataclass(frozen=True)
class Phi3(Decoder):
    """A decoder whose query, key and value, and whose gate and up, stay in one piece each."""

    ARCHITECTURE = "phi3"
    DEFAULTS: ClassVar[JsonObject] = {
        "max_position_embeddings": 4096, "original_max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "vocab_size": 32064,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**EMBEDDINGS, **NORMS, **block_names({
        "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output",
        "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down"})}  # fmt: skip
    DROPPED = (*Family.DROPPED, r"(model\.)?(vision_tower|mm_projector)\..*")

    n_window: int = size("sliding_window", 0)
    n_context: int = size("max_position_embeddings")

    @property
    def n_original_context(self) -> int:
        """The context that the model was trained with before its rotary settings were stretched."""
        return int(rope_number(self.rope, "original_max_position_embeddings"))

    @property
    def n_rotary(self) -> int:
        """Values of a head that are rotated."""
        return int(rope_number(self.rope, "partial_rotary_factor", 1.0) * self.n_embd) // self.n_head

    @property
    def attention_factor(self) -> float:
        """What scores are multiplied by in a stretched context."""
        original = self.n_original_context
        if self.n_context <= original:
            return 1.0
        if original < 2:
            raise BadCheckpoint(f"config.json: an original context of {original} makes no sense.")
        return math.sqrt(1 + math.log(self.n_context / original) / math.log(original))

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; a window of 0 is what llama.cpp knows Phi-4 by."""
        values = {key: value for key, value in super().metadata().items() if key != "phi3.rope.scaling.type"}
        if self.computed():
            values["phi3.rope.scaling.attn_factor"] = f32(self.attention_factor)
        return values | {
            "phi3.attention.sliding_window": u32(self.n_window),
            "phi3.rope.dimension_count": u32(self.n_rotary),
            "phi3.rope.scaling.original_context_length": u32(self.n_original_context),
        }

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        n_heads = self.n_head + 2 * self.n_head_kv
        return super().shapes() | {
            "blk.{i}.attn_qkv.weight": (n_heads * self.head_dim, self.n_embd),
            "blk.{i}.ffn_up.weight": (2 * self.n_ff, self.n_embd),
        }

    def computed(self) -> dict[str, Array]:
        """Give what the rotary frequencies are divided by, in long contexts and in short ones."""
        if not self.rope.get("long_factor"):
            return {}
        return {f"rope_factors_{kind}.weight": self._factors(f"{kind}_factor") for kind in ("long", "short")}

    def _factors(self, key: str) -> Array:
        stated = self.rope.get(key)
        n_pairs = self.n_rotary // 2
        if not isinstance(stated, list) or len(stated) != n_pairs:
            raise BadCheckpoint(f"config.json: the rotary setting {key} is no list of {n_pairs} numbers.")
        return np.array([rope_number({key: factor}, key) for factor in stated], dtype=np.float32)
