"""gpt-oss: HF GptOssForCausalLM, GGUF architecture "gpt-oss"; experts stored as MXFP4 stay so, others are read too.

Source: HF modeling_gpt_oss.py; llama.cpp conversion/gpt_oss.py, src/models/openai-moe.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Target, size
from converters.families.config import slides
from converters.families.decoder import ATTENTION, ATTENTION_BIASES, EMBEDDINGS, Decoder, block_names
from converters.jsonfile import JsonObject
from converters.layout import Layout
from converters.mxfp4 import repacked
from converters.transforms import IDENTITY, Transform
from converters.values import Value, flags, u32

_E = "model.layers.{i}.mlp.experts."
_WEIGHTS: dict[str, Target] = {
    f"{_E}gate_up_proj": ("blk.{i}.ffn_gate_exps.weight", "blk.{i}.ffn_up_exps.weight"),
    f"{_E}down_proj": "blk.{i}.ffn_down_exps.weight",
}
_PERIOD = 2  # llama.cpp's own: every second layer sees everything
_PACKED = "packed_experts"


@dataclass(frozen=True)
class GptOss(Decoder):
    """A decoder of experts, with sinks in its attention; gate and up rows of the experts alternate."""

    ARCHITECTURE = "gpt-oss"
    DEFAULTS: ClassVar[JsonObject] = {
        "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "num_local_experts": 128,
        "num_experts_per_tok": 4, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 150000.0,
        "sliding_window": 128, "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0,
        "beta_slow": 1.0, "original_max_position_embeddings": 4096}, "vocab_size": 201088,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **EMBEDDINGS, **ATTENTION, **ATTENTION_BIASES,
        **block_names({"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
                       "mlp.router": "ffn_gate_inp"}),
        "model.layers.{i}.mlp.router.bias": "blk.{i}.ffn_gate_inp.bias",
        "model.layers.{i}.self_attn.sinks": "blk.{i}.attn_sinks.weight",
        f"{_E}gate_up_proj_bias": ("blk.{i}.ffn_gate_exps.bias", "blk.{i}.ffn_up_exps.bias"),
        f"{_E}down_proj_bias": "blk.{i}.ffn_down_exps.bias",
    }  # fmt: skip
    COMPANIONS: ClassVar[Mapping[str, tuple[str, ...]]] = {f"{name}_blocks": (f"{name}_scales",) for name in _WEIGHTS}
    PACKED_METHODS = frozenset({"mxfp4"})
    PRE_TOKENIZERS = ("gpt-4o",)

    n_window: int = size("sliding_window")
    n_expert_used: int = size("num_experts_per_tok")
    packed: bool = size(_PACKED)

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Add whether the experts are stored as MXFP4."""
        return config | {_PACKED: any(name.endswith("_proj_blocks") for name in names)}

    def check(self) -> None:
        """Refuse head counts and expert counts that cannot be."""
        super().check()
        if not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the names of the form in which the experts are stored."""
        suffix = "_blocks" if self.packed else ""
        return {**self.TENSORS, **{f"{name}{suffix}": target for name, target in _WEIGHTS.items()}}

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; which layers slide, where it is not as usual."""
        values = super().metadata() | {
            "gpt-oss.attention.sliding_window": u32(self.n_window),
            "gpt-oss.expert_feed_forward_length": u32(self.n_ff),
        }
        found = slides(self.config, self.n_layer, _PERIOD)
        if found != slides({}, self.n_layer, _PERIOD):
            values["gpt-oss.attention.sliding_window_pattern"] = flags(found)
        return values

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        inner, outer = (self.n_expert, self.n_ff), (self.n_expert, self.n_embd)
        return super().shapes() | {
            "blk.{i}.attn_sinks.weight": (self.n_head,),
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.ffn_gate_exps.weight": (*inner, self.n_embd), "blk.{i}.ffn_gate_exps.bias": inner,
            "blk.{i}.ffn_up_exps.weight": (*inner, self.n_embd), "blk.{i}.ffn_up_exps.bias": inner,
            "blk.{i}.ffn_down_exps.weight": (*outer, self.n_ff), "blk.{i}.ffn_down_exps.bias": outer,
        }  # fmt: skip

    def transform(self, pattern: str) -> Transform:
        """Take every other row for gate and up; experts that are not packed are stored with their inputs first."""
        _, name, part = pattern.rsplit(".", 2) if pattern.startswith("blk.") else ("", pattern, "")
        if not name.endswith("_exps"):
            return IDENTITY
        n_rows, n_columns = (self.n_embd, self.n_ff) if name == "ffn_down_exps" else (2 * self.n_ff, self.n_embd)
        take = {"ffn_gate_exps": _even, "ffn_up_exps": _odd}.get(name, _all)
        if part == "bias":
            return Transform(take)
        if self.packed:
            return repacked((self.n_expert, n_rows, n_columns), take)
        return Transform(lambda whole: take(whole.swapaxes(1, 2)))


def _even(whole: Layout) -> Layout:
    return whole[:, 0::2]


def _odd(whole: Layout) -> Layout:
    return whole[:, 1::2]


def _all(whole: Layout) -> Layout:
    return whole
