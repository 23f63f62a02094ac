"""The text model of Qwen3-VL: HF Qwen3VLForConditionalGeneration; embeddings and rerankers too.

Source: HF modeling_qwen3_vl.py; llama.cpp conversion/qwen3vl.py, src/models/qwen3vl.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.config import Config
from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.qwen3 import Qwen3
from converters.families.rope import Rope
from converters.jsonfile import JsonObject
from converters.values import Value, u32

_SECTIONS = [24, 20, 20]
VL_DEFAULTS: JsonObject = {"max_position_embeddings": 128000, "rms_norm_eps": 1e-6, "rope_theta": 500000.0}


@dataclass(frozen=True)
class Qwen3Vl(Qwen3):
    """Qwen3 whose rotary positions have several axes, and whose first layers take in what the eye's layers saw."""

    ARCHITECTURE = "qwen3vl"
    DEFAULTS: ClassVar[JsonObject] = {**Qwen3.DEFAULTS, **VL_DEFAULTS}
    DROPPED: ClassVar[tuple[str, ...]] = (*Qwen3.DROPPED, *OTHER_SENSES)
    PREFIXES: ClassVar[Mapping[str, str]] = {**TEXT_PREFIXES, **Qwen3.PREFIXES}

    @property
    def rope(self) -> Rope:
        """The rotary settings, with the sections that the HF class takes when none are stated."""
        return with_sections(super().rope)

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys and the number of layers that take in the eye's."""
        return super().metadata() | deepstack_metadata(self.ARCHITECTURE, self.config)


def with_sections(rope: Rope) -> Rope:
    """Add the HF class's own mrope_section where config.json has none; llama.cpp needs it."""
    return {"mrope_section": _SECTIONS} | rope


def deepstack_metadata(architecture: str, config: Config) -> dict[str, Value]:
    """Give how many of the eye's layers are taken in."""
    vision = config.get("vision_config")
    indexes = vision.get("deepstack_visual_indexes") if isinstance(vision, dict) else None
    return {f"{architecture}.n_deepstack_layers": u32(len(indexes) if isinstance(indexes, list) else 0)}
