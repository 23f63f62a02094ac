"""Cohere's Command R and Aya: HF CohereForCausalLM, GGUF architecture "command-r".

Source: HF modeling_cohere.py, configuration_cohere.py; llama.cpp conversion/command_r.py, src/models/command-r.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import UnsupportedModel
from converters.families.base import Target, size
from converters.families.config import find
from converters.families.decoder import ATTENTION, FEED_FORWARD, QK_NORMS, Decoder, block_names
from converters.jsonfile import JsonObject
from converters.values import Value, f32, text

_QK_NORMS_FROM = 64  # layers from which on src/models/command-r.cpp asks for norms of queries and keys
PARALLEL: Mapping[str, Target] = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    **block_names({"input_layernorm": "attn_norm"}),
    **ATTENTION,
    **FEED_FORWARD,
}


@dataclass(frozen=True)
class Cohere(Decoder):
    """A decoder with one norm for attention and feed-forward side by side, and always tied to its embeddings."""

    ARCHITECTURE = "command-r"
    DEFAULTS: ClassVar[JsonObject] = {
        "layer_norm_eps": 1e-5, "logit_scale": 0.0625, "max_position_embeddings": 8192, "rope_theta": 500000.0,
        "tie_word_embeddings": True,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = PARALLEL
    PRE_TOKENIZERS = ("command-r",)

    logit_scale: float = size("logit_scale")

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the context that the model was trained for: its max_position_embeddings is a smaller one."""
        return config | {"max_position_embeddings": find(config, "model_max_length", "max_position_embeddings")}

    def check(self) -> None:
        """Refuse norms where the engine has none, and none where it wants some."""
        super().check()
        if bool(self.config.get("use_qk_norm")) != (self.n_layer >= _QK_NORMS_FROM):
            raise UnsupportedModel(
                f"llama.cpp knows Command R with norms of queries and keys from {_QK_NORMS_FROM} layers on, and "
                f"without below; this model has {self.n_layer} and use_qk_norm {self.config.get('use_qk_norm')}."
            )

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the tensor table, with norms of queries and keys where the model has them."""
        return {**self.TENSORS, **(QK_NORMS if self.config.get("use_qk_norm") else {})}

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; positions are never stretched."""
        return super().metadata() | {
            f"{self.ARCHITECTURE}.logit_scale": f32(self.logit_scale),
            f"{self.ARCHITECTURE}.rope.scaling.type": text("none"),
        }

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; norms differ from head to head."""
        return super().shapes() | {
            "blk.{i}.attn_q_norm.weight": (self.n_head, self.head_dim),
            "blk.{i}.attn_k_norm.weight": (self.n_head_kv, self.head_dim),
        }
