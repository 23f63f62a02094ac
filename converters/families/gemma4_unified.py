"""Gemma 4 12B: the text part of HF Gemma4UnifiedForConditionalGeneration, GGUF architecture "gemma4".

Source: HF configuration_gemma4_unified.py; llama.cpp conversion/gemma.py, Gemma4UnifiedModel.
"""

from dataclasses import dataclass
from typing import ClassVar

from converters.families.gemma4 import Gemma4
from converters.folder_facts import SUPPRESSED_TOKENS
from converters.jsonfile import JsonObject
from converters.values import Value, i32s


@dataclass(frozen=True)
class Gemma4Unified(Gemma4):
    """A Gemma 4 that sees and hears without towers of their own; some of its tokens are never to be generated."""

    DEFAULTS: ClassVar[JsonObject] = Gemma4.DEFAULTS | {
        "hidden_size_per_layer_input": 0, "max_position_embeddings": 262144, "sliding_window": 1024,
    }  # fmt: skip
    DROPPED = (*Gemma4.DROPPED, r"model\.vision_embedder\..*")

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Name the tokens that stand for what is seen and heard."""
        suppressed = self.config.get(SUPPRESSED_TOKENS)
        return {"tokenizer.ggml.suppress_tokens": i32s(suppressed)} if suppressed is not None else {}
