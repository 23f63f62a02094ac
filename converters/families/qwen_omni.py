"""The thinkers of Qwen2.5-Omni and Qwen3-Omni, without ears, eyes and voice.

HF Qwen2_5OmniForConditionalGeneration (whose repositories say Qwen2_5OmniModel), Qwen3OmniMoeForConditionalGeneration.
Source: HF modeling_qwen2_5_omni.py, modeling_qwen3_omni_moe.py; llama.cpp conversion/qwenvl.py, conversion/qwen3vl.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from converters.families.multimodal import SPEECH
from converters.families.qwen2_vl import Qwen2Vl
from converters.families.qwen3_vl_moe import Qwen3VlMoe
from converters.jsonfile import JsonObject
from converters.values import Value, u32

_TURN_END = "<|im_end|>"


@dataclass(frozen=True)
class Qwen2Omni(Qwen2Vl):
    """The text model of Qwen2.5-VL, as the part that thinks."""

    DROPPED: ClassVar[tuple[str, ...]] = (*Qwen2Vl.DROPPED, *SPEECH)

    def canonical(self, name: str) -> str:
        """Give the table's name, thinker. left out."""
        return super().canonical(name.removeprefix("thinker."))


@dataclass(frozen=True)
class Qwen3Omni(Qwen3VlMoe):
    """The text model of Qwen3-VL with experts, as the part that thinks; no layer of the eye's is taken in."""

    DROPPED: ClassVar[tuple[str, ...]] = (*Qwen3VlMoe.DROPPED, *SPEECH)

    def canonical(self, name: str) -> str:
        """Give the table's name, thinker. left out."""
        return super().canonical(name.removeprefix("thinker."))

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Begin and end with the end of a turn, as llama.cpp's converter does."""
        added: Any = tokenizer_config.get("added_tokens_decoder")
        entries: Mapping[str, Any] = added if isinstance(added, dict) else {}
        ids = [key for key, entry in entries.items() if isinstance(entry, dict) and entry.get("content") == _TURN_END]
        values = {"bos_token_id", "eos_token_id"} if ids and ids[0].isdecimal() else set()
        return {f"tokenizer.ggml.{name}": u32(int(ids[0])) for name in sorted(values)}
