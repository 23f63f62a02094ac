"""Gemma: HF GemmaForCausalLM, GGUF architecture "gemma"; the later Gemmas build on it.

Source: HF modeling_gemma.py; llama.cpp conversion/gemma.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Family, Target
from converters.families.decoder import NAMES, Decoder
from converters.jsonfile import JsonObject
from converters.transforms import IDENTITY, NORM_PLUS_ONE, Transform
from converters.values import Value, flag, u32

TOKENIZER_VALUES = {"tokenizer.ggml.add_space_prefix": flag(False)}
_END_OF_TURN = 107  # in every vocabulary of Gemma and Gemma 2


@dataclass(frozen=True)
class Gemma(Decoder):
    """A decoder whose norms store their weights less one, and whose head is always the embedding."""

    ARCHITECTURE = "gemma"
    DEFAULTS: ClassVar[JsonObject] = {
        "num_attention_heads": 16, "num_key_value_heads": 16, "head_dim": 256, "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-6, "vocab_size": 256000,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {key: name for key, name in NAMES.items() if key != "lm_head.weight"}
    DROPPED = (*Family.DROPPED, r"lm_head\.weight")  # llama.cpp takes the embedding in any case
    TOKENIZERS: ClassVar[tuple[str, ...]] = ("sentencepiece", "spm_bpe", "bpe")

    def transform(self, pattern: str) -> Transform:
        """Add the one that the norms leave out."""
        return NORM_PLUS_ONE if pattern.endswith("norm.weight") else IDENTITY

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Text starts without a space; the end of a turn is a token of its own."""
        return {**TOKENIZER_VALUES, "tokenizer.ggml.eot_token_id": u32(_END_OF_TURN)}
