"""Qwen3: HF Qwen3ForCausalLM; embeddings as Qwen3Model; the rerankers, which answer yes or no.

Source: HF modeling_qwen3.py; llama.cpp conversion/qwen.py, src/models/qwen3.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Target
from converters.families.decoder import NAMES, QK_NORMS, QKV_BIASES
from converters.families.pooling import RANK
from converters.families.qwen2 import Qwen2
from converters.folder_facts import RERANK_TOKENS
from converters.jsonfile import JsonObject
from converters.layout import Layout
from converters.transforms import Transform
from converters.values import Value, text, texts, u32

_SCORE = "cls.output.weight"
_RERANK_TEMPLATE = (  # Qwen3-Reranker's model card, with the instruction for web search
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct"
    ' provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n"
    "<Query>: {query}\n<Document>: {document}<|im_end|>\n"
    "<|im_start|>assistant\n<think>\n\n</think>\n\n"
)


@dataclass(frozen=True)
class Qwen3(Qwen2):
    """Qwen2 with norms on queries and keys in place of biases."""

    ARCHITECTURE = "qwen3"
    DEFAULTS: ClassVar[JsonObject] = {**Qwen2.DEFAULTS, "head_dim": 128}
    TENSORS: ClassVar[Mapping[str, Target]] = {**NAMES, **QK_NORMS, **QKV_BIASES}
    OPTIONAL = frozenset(QKV_BIASES)

    def check(self) -> None:
        """Refuse answers that the vocabulary does not have."""
        super().check()
        if any(not 0 <= number < self.n_vocab for number in self._answers or []):
            raise BadCheckpoint(f"The tokens yes and no, {self._answers}, are not in a vocabulary of {self.n_vocab}.")

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the table; a reranker's scores are two rows of its head, or of the embedding in its place."""
        table = dict(super().table(names))
        if self._answers is None:
            return table
        if self.config.get("tie_word_embeddings"):
            return table | {self.EMBEDDING: ("token_embd.weight", _SCORE)}
        return table | {self.HEAD: _SCORE}

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys, and what makes it a reranker."""
        values = super().metadata()
        if self._answers is None:
            return values
        a = self.ARCHITECTURE
        return values | {f"{a}.pooling_type": u32(RANK), f"{a}.classifier.output_labels": texts(["yes", "no"])}

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Give the prompt of a reranker."""
        if self._answers is None:
            return {}
        return {
            "tokenizer.chat_template.rerank": text(_RERANK_TEMPLATE),
            "tokenizer.chat_templates": texts(["rerank"]),
        }

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of the usual weights and of the norms of one head."""
        norms = {f"blk.{{i}}.attn_{part}_norm.weight": (self.head_dim,) for part in ("q", "k")}
        return super().shapes() | norms | {_SCORE: (2, self.n_embd)}

    def transform(self, pattern: str) -> Transform:
        """Take the rows of yes and no for a reranker's scores."""
        if pattern != _SCORE:
            return super().transform(pattern)
        return Transform(self._answer_rows)

    def _answer_rows(self, head: Layout) -> list[Layout]:
        return [head[number : number + 1] for number in self._answers or []]

    @property
    def _answers(self) -> list[int] | None:
        return self.config.get(RERANK_TOKENS)
