"""Qwen2 and Qwen2.5: HF Qwen2ForCausalLM; as Qwen2Model it gives embeddings.

Source: HF modeling_qwen2.py; llama.cpp conversion/qwen.py, src/models/qwen2.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Target
from converters.families.decoder import NAMES, QKV_BIASES, Decoder
from converters.families.pooling import pooling_metadata
from converters.folder_facts import POOLING
from converters.jsonfile import JsonObject
from converters.values import Value


@dataclass(frozen=True)
class Qwen2(Decoder):
    """A Llama whose queries, keys and values have biases, with rotary rows as they are stored."""

    ARCHITECTURE = "qwen2"
    DEFAULTS: ClassVar[JsonObject] = {
        "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**NAMES, **QKV_BIASES}
    PREFIXES: ClassVar[Mapping[str, str]] = {
        name: f"model.{name}" for name in ("layers.", "embed_tokens.", "norm.")
    }  # a model saved without its head has no "model." either
    TOKENIZERS: ClassVar[tuple[str, ...]] = ("sentencepiece", "bpe")
    PRE_TOKENIZERS = ("qwen2",)

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the table; a model that gives embeddings needs no head."""
        table = super().table(names)
        if self.HEAD in names or not self._gives_embeddings:
            return table
        return {theirs: ours for theirs, ours in table.items() if theirs != self.HEAD}

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor: all are of one kind, those that predict further tokens too."""
        return i < self.n_block

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys, and the pooling of a model that gives embeddings."""
        return super().metadata() | pooling_metadata(self.ARCHITECTURE, self.config)

    @property
    def _gives_embeddings(self) -> bool:
        hf_class = str((self.config.get("architectures") or [""])[0])
        return POOLING in self.config or hf_class.endswith("Model")
