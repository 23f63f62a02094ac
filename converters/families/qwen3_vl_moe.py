"""The text model of Qwen3-VL with experts: HF Qwen3VLMoeForConditionalGeneration, as Qwen3-VL-30B-A3B.

Source: HF modeling_qwen3_vl_moe.py; llama.cpp conversion/qwen3vl.py, src/models/qwen3vlmoe.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.qwen3_moe import Qwen3Moe
from converters.families.qwen3_vl import VL_DEFAULTS, deepstack_metadata, with_sections
from converters.families.rope import Rope
from converters.jsonfile import JsonObject
from converters.layout import Layout
from converters.transforms import Transform
from converters.values import Value

_EXPERTS_IN = ("blk.{i}.ffn_gate_exps.weight", "blk.{i}.ffn_up_exps.weight")
_EXPERTS_OUT = "blk.{i}.ffn_down_exps.weight"


@dataclass(frozen=True)
class Qwen3VlMoe(Qwen3Moe):
    """Qwen3-MoE with several axes of positions; its repositories hold fused experts with rows and columns exchanged."""

    ARCHITECTURE = "qwen3vlmoe"
    DEFAULTS: ClassVar[JsonObject] = {**Qwen3Moe.DEFAULTS, **VL_DEFAULTS}
    DROPPED: ClassVar[tuple[str, ...]] = (*Qwen3Moe.DROPPED, *OTHER_SENSES)
    PREFIXES: ClassVar[Mapping[str, str]] = {**TEXT_PREFIXES, **Qwen3Moe.PREFIXES}

    @property
    def rope(self) -> Rope:
        """The rotary settings, with the sections that the HF class takes when none are stated."""
        return with_sections(super().rope)

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys, the width of a head, and the number of layers that take in the eye's."""
        return super().metadata() | deepstack_metadata(self.ARCHITECTURE, self.config)

    def transform(self, pattern: str) -> Transform:
        """Turn fused experts, (expert, in, out), before they are cut into gates and ups."""
        inner = super().transform(pattern)
        if pattern not in (*_EXPERTS_IN, _EXPERTS_OUT):
            return inner
        axis = 1 if pattern in _EXPERTS_IN else 2

        def turned(whole: Layout) -> Layout:
            is_turned = len(whole.shape) == 3 and whole.shape[axis] == self.n_embd
            return whole.swapaxes(1, 2) if is_turned else whole

        return Transform(lambda whole: inner.layout(turned(whole)))
