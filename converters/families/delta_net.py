"""What Qwen3-Next and Qwen3.5 have in common: gated delta nets in most layers, and a block that predicts a token more.

Source: HF modeling_qwen3_next.py, modeling_qwen3_5.py; llama.cpp conversion/qwen.py, src/models/qwen3next.cpp.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Target, size
from converters.families.config import whole, words
from converters.families.decoder import ATTENTION, EMBEDDINGS, QK_NORMS, block_names
from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.qwen2 import Qwen2
from converters.families.rope import rope_number
from converters.jsonfile import JsonObject
from converters.layout import Layout
from converters.transforms import NORM_PLUS_ONE, Transform, negated_exp
from converters.values import Value, ValueType, u32

_MTP_LAYERS = "@mtp_layers"
_MTP_NAMES = {"fc": "eh_proj", "pre_fc_norm_embedding": "enorm", "pre_fc_norm_hidden": "hnorm",
              "norm": "shared_head.norm"}  # fmt: skip
_MTP_LAYER = re.compile(r"(?:model\.)?mtp\.layers\.(\d+)\.(.+)")
_MTP_OTHER = re.compile(rf"(?:model\.)?mtp\.({'|'.join(_MTP_NAMES)})\.weight")
_FULL_ATTENTION = {**ATTENTION, **QK_NORMS}
_NEXTN = block_names({"eh_proj": "nextn.eh_proj", "enorm": "nextn.enorm", "hnorm": "nextn.hnorm",
                      "shared_head.norm": "nextn.shared_head_norm"})  # fmt: skip
_LINEAR = "model.layers.{i}.linear_attn."
_NORMS = block_names({"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm"})
_RAW_NORM = "blk.{i}.ssm_norm.weight"

DELTA_NET: Mapping[str, Target] = {
    **EMBEDDINGS, **_NORMS, **_FULL_ATTENTION, **_NEXTN,
    f"{_LINEAR}conv1d.weight": "blk.{i}.ssm_conv1d.weight", f"{_LINEAR}dt_bias": "blk.{i}.ssm_dt.bias",
    f"{_LINEAR}A_log": "blk.{i}.ssm_a", f"{_LINEAR}norm.weight": _RAW_NORM,
    f"{_LINEAR}out_proj.weight": "blk.{i}.ssm_out.weight",
}  # fmt: skip


def mtp_in_block(name: str, n_layer: int) -> str:
    """Give the name that a tensor of the predicting block would have in a block behind the layers."""
    if "mtp." not in name:
        return name
    if layer := _MTP_LAYER.fullmatch(name):
        return f"model.layers.{n_layer + int(layer[1])}.{layer[2]}"
    if other := _MTP_OTHER.fullmatch(name):
        return f"model.layers.{n_layer}.{_MTP_NAMES[other[1]]}.weight"
    return name


@dataclass(frozen=True)
class DeltaNet(Qwen2):
    """A decoder whose layers are gated delta nets but for every fourth; norms leave out their one."""

    DEFAULTS: ClassVar[JsonObject] = {
        **Qwen2.DEFAULTS, "full_attention_interval": 4, "head_dim": 256, "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
        "linear_value_head_dim": 128,
    }  # fmt: skip
    DROPPED: ClassVar[tuple[str, ...]] = (*Qwen2.DROPPED, *OTHER_SENSES)
    PREFIXES: ClassVar[Mapping[str, str]] = {**TEXT_PREFIXES, **Qwen2.PREFIXES}
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()

    n_mtp: int = size(_MTP_LAYERS)
    kernel: int = size("linear_conv_kernel_dim")
    n_k_head: int = size("linear_num_key_heads")
    n_v_head: int = size("linear_num_value_heads")
    k_head_dim: int = size("linear_key_head_dim")
    v_head_dim: int = size("linear_value_head_dim")

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Add how many predicting layers there are: what is stored counts, for configs promise what was left out."""
        n_layer = whole(config, "num_hidden_layers")
        layers = {match[1] for match in map(_MTP_LAYER.fullmatch, names) if match}
        inner = super().completed(config, [mtp_in_block(name, n_layer) for name in names])
        return {**inner, _MTP_LAYERS: len(layers)}

    @property
    def n_block(self) -> int:
        """The layers, and the block that predicts one more token."""
        return self.n_layer + self.n_mtp

    @property
    def linear(self) -> list[bool]:
        """Whether each block is a delta net; the predicting one never is."""
        kinds = words(self.config, "layer_types", self.n_layer)
        interval = max(whole(self.config, "full_attention_interval"), 1)
        listed = [kind == "linear_attention" for kind in kinds] if kinds else None
        return (listed or [(i + 1) % interval != 0 for i in range(self.n_layer)]) + [False] * self.n_mtp

    def canonical(self, name: str) -> str:
        """Give the table's name; the predicting block stands behind the layers."""
        return super().canonical(mtp_in_block(name, self.n_layer))

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor: delta net or full attention; or it predicts."""
        if theirs in _NEXTN:
            return i >= self.n_layer
        if theirs in _FULL_ATTENTION or theirs.startswith(_LINEAR):
            return self.linear[i] == theirs.startswith(_LINEAR)
        return super().has(theirs, i)

    def check(self) -> None:
        """Refuse heads that do not divide, widths that llama.cpp does not know, and more predicting layers than one."""
        super().check()
        if not self.n_k_head or not self.n_v_head or self.n_v_head % self.n_k_head:
            raise BadCheckpoint(
                f"config.json: {self.n_v_head} value heads for {self.n_k_head} key heads do not divide."
            )
        if self.k_head_dim != self.v_head_dim:
            raise UnsupportedModel(
                f"Delta nets with heads of {self.k_head_dim} for keys and {self.v_head_dim} for values are not known."
            )
        if self.n_mtp > 1:
            raise UnsupportedModel(f"The model has {self.n_mtp} layers that predict further tokens; one is known.")

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys, those of the delta nets, and the share of a head that is rotated."""
        a, rotated = self.ARCHITECTURE, rope_number(self.rope, "partial_rotary_factor", 0.25)
        predicting = {f"{a}.nextn_predict_layers": u32(self.n_mtp)} if self.n_mtp else {}
        return super().metadata() | predicting | {
            f"{a}.ssm.conv_kernel": u32(self.kernel),
            f"{a}.ssm.state_size": u32(self.k_head_dim),
            f"{a}.ssm.group_count": u32(self.n_k_head),
            f"{a}.ssm.time_step_rank": u32(self.n_v_head),
            f"{a}.ssm.inner_size": u32(self.n_v_head * self.v_head_dim),
            f"{a}.attention.recurrent_layers": Value(ValueType.ARRAY, self.linear, ValueType.BOOL),
            f"{a}.full_attention_interval": u32(whole(self.config, "full_attention_interval")),
            f"{a}.rope.dimension_count": u32(int(self.head_dim * rotated)),
        }  # fmt: skip

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of the usual weights, queries with their gates, and of the delta nets."""
        keys, values = self.n_k_head * self.k_head_dim, self.n_v_head * self.v_head_dim
        return super().shapes() | {
            "blk.{i}.attn_q.weight": (2 * self.n_head * self.head_dim, self.n_embd),
            "blk.{i}.attn_q_norm.weight": (self.head_dim,),
            "blk.{i}.attn_k_norm.weight": (self.head_dim,),
            "blk.{i}.post_attention_norm.weight": (self.n_embd,),
            "blk.{i}.nextn.eh_proj.weight": (self.n_embd, 2 * self.n_embd),
            "blk.{i}.attn_qkv.weight": (2 * keys + values, self.n_embd),
            "blk.{i}.attn_gate.weight": (values, self.n_embd),
            "blk.{i}.ssm_conv1d.weight": (2 * keys + values, self.kernel),
            "blk.{i}.ssm_dt.bias": (self.n_v_head,),
            "blk.{i}.ssm_a": (self.n_v_head,),
            "blk.{i}.ssm_norm.weight": (self.v_head_dim,),
            "blk.{i}.ssm_out.weight": (self.n_embd, values),
        }

    def transform(self, pattern: str) -> Transform:
        """Add the norms' one, take -exp of the decay, and let the convolution have two axes."""
        if pattern.endswith("norm.weight") and pattern != _RAW_NORM:
            return NORM_PLUS_ONE
        if pattern == "blk.{i}.ssm_a":
            return Transform(values=negated_exp)
        if pattern == "blk.{i}.ssm_conv1d.weight":
            return Transform(lambda whole: kernel_rows(whole, self.kernel))
        return super().transform(pattern)


def kernel_rows(whole: Layout, kernel: int) -> Layout:
    """Give a convolution's kernel, (channels, 1, kernel), as (channels, kernel)."""
    return whole.reshape(-1, kernel)
