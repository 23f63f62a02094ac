"""The text model of Qwen2-VL and Qwen2.5-VL: HF Qwen2VLForConditionalGeneration, Qwen2_5_VLForConditionalGeneration.

Source: HF modeling_qwen2_vl.py, modeling_qwen2_5_vl.py; llama.cpp conversion/qwenvl.py, src/models/qwen2vl.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.qwen2 import Qwen2
from converters.jsonfile import JsonObject


@dataclass(frozen=True)
class Qwen2Vl(Qwen2):
    """Qwen2 whose rotary positions have several axes."""

    ARCHITECTURE = "qwen2vl"
    DEFAULTS: ClassVar[JsonObject] = {
        "max_position_embeddings": 32768, "rms_norm_eps": 1e-5, "rope_theta": 1000000.0,
    }  # fmt: skip
    DROPPED: ClassVar[tuple[str, ...]] = (*Qwen2.DROPPED, *OTHER_SENSES)
    PREFIXES: ClassVar[Mapping[str, str]] = {**TEXT_PREFIXES, **Qwen2.PREFIXES}

    def check(self) -> None:
        """Refuse a config that does not say how positions are shared among the axes."""
        super().check()
        if self.rope.get("mrope_section") is None:
            raise BadCheckpoint("config.json has no mrope_section.", hint="The model's config is not complete.")
