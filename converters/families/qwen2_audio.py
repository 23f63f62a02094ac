"""The text model of Qwen2-Audio and Audio Flamingo 3, a Qwen2: HF Qwen2AudioForConditionalGeneration.

Source: HF configuration_qwen2.py, modeling_qwen2_audio.py; llama.cpp conversion/qwen.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.qwen2 import Qwen2
from converters.jsonfile import JsonObject


@dataclass(frozen=True)
class Qwen2Audio(Qwen2):
    """A Qwen2 whose config leaves out whatever is as in the 7B model."""

    DEFAULTS: ClassVar[JsonObject] = {
        **Qwen2.DEFAULTS, "hidden_size": 4096, "intermediate_size": 22016, "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 32, "vocab_size": 151936,
    }  # fmt: skip
    DROPPED: ClassVar[tuple[str, ...]] = (*Qwen2.DROPPED, *OTHER_SENSES)
    PREFIXES: ClassVar[Mapping[str, str]] = {**TEXT_PREFIXES, **Qwen2.PREFIXES}
