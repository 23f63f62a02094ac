"""Qwen3.5 and Qwen3.6, dense: HF Qwen3_5ForCausalLM, and the text model of Qwen3_5ForConditionalGeneration.

Source: HF modeling_qwen3_5.py; llama.cpp conversion/qwen.py, src/models/qwen35.cpp.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Target
from converters.families.decoder import FEED_FORWARD, block_names
from converters.families.delta_net import DELTA_NET, DeltaNet, kernel_rows
from converters.families.rope import Rope
from converters.layout import Layout
from converters.transforms import Layouts, Transform

_SECTIONS = [11, 11, 10]
_IN = {"in_proj_qkv": "attn_qkv", "in_proj_z": "attn_gate", "in_proj_b": "ssm_beta", "in_proj_a": "ssm_alpha"}
TILED_DELTA_NET: Mapping[str, Target] = {
    **DELTA_NET, **block_names({f"linear_attn.{theirs}": ours for theirs, ours in _IN.items()}),
}  # fmt: skip


@dataclass(frozen=True)
class TiledDeltaNet(DeltaNet):
    """Delta nets whose value heads the file has in another order: the first of every key head, then the second, …

    llama.cpp repeats the keys as a whole beside them, while the checkpoint has the heads of one key together."""

    @property
    def rope(self) -> Rope:
        """The rotary settings, with the sections that the HF class takes when none are stated."""
        return {"mrope_section": _SECTIONS} | super().rope

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        rates = {f"blk.{{i}}.ssm_{part}.weight": (self.n_v_head, self.n_embd) for part in ("alpha", "beta")}
        return super().shapes() | rates

    def transform(self, pattern: str) -> Transform:
        """Reorder whatever is there for each value head."""
        inner, width = super().transform(pattern), self.v_head_dim
        reorder: Mapping[str, Callable[[Layout], Layouts]] = {
            "blk.{i}.attn_qkv.weight": self._values_tiled,
            "blk.{i}.ssm_conv1d.weight": lambda whole: self._values_tiled(kernel_rows(whole, self.kernel)),
            "blk.{i}.attn_gate.weight": lambda whole: self._tiled(whole, width),
            "blk.{i}.ssm_alpha.weight": lambda whole: self._tiled(whole, 1),
            "blk.{i}.ssm_beta.weight": lambda whole: self._tiled(whole, 1),
            "blk.{i}.ssm_a": lambda whole: self._tiled(whole, 1),
            "blk.{i}.ssm_dt.bias": lambda whole: self._tiled(whole, 1),
            "blk.{i}.ssm_out.weight": self._columns_tiled,
        }
        if pattern not in reorder or self.n_k_head == self.n_v_head:
            return inner
        return Transform(reorder[pattern], inner.values)

    def _tiled(self, rows: Layout, width: int) -> Layout:
        heads = rows.reshape(self.n_k_head, self.n_v_head // self.n_k_head, width, *rows.shape[1:])
        return heads.swapaxes(0, 1).shaped(*rows.shape)

    def _values_tiled(self, rows: Layout) -> list[Layout]:
        first = 2 * self.n_k_head * self.k_head_dim
        return [rows[:first], self._tiled(rows[first:], self.v_head_dim)]

    def _columns_tiled(self, whole: Layout) -> Layout:
        heads = whole.reshape(whole.shape[0], self.n_k_head, self.n_v_head // self.n_k_head, self.v_head_dim)
        return heads.swapaxes(1, 2).shaped(*whole.shape)


@dataclass(frozen=True)
class Qwen3_5(TiledDeltaNet):
    """Delta nets with dense feed-forwards."""

    ARCHITECTURE = "qwen35"
    TENSORS: ClassVar[Mapping[str, Target]] = {**TILED_DELTA_NET, **FEED_FORWARD}
