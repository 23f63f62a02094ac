"""Llama and Mistral: HF LlamaForCausalLM and MistralForCausalLM, GGUF architecture "llama".

Also as the text model of LLaVA, Pixtral, SmolVLM, Idefics 3 and Voxtral, whose other senses are left out.
Source: HF modeling_llama.py, modeling_mistral.py; llama.cpp conversion/llama.py.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import UnsupportedModel
from converters.families.base import Family, Target
from converters.families.decoder import BIASES, NAMES, Decoder
from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.rope import llama3_rope
from converters.jsonfile import JsonObject
from converters.transforms import Array, Transform, llama3_rope_factors, rope_pairs
from converters.values import Value, flag, u32

_TEXT_DEFAULTS: JsonObject = {
    "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
    "vocab_size": 32000,
}  # fmt: skip
_MISTRAL_DEFAULTS: JsonObject = _TEXT_DEFAULTS | {"intermediate_size": 14336, "num_key_value_heads": 8}
_ROTARY = ("blk.{i}.attn_q.", "blk.{i}.attn_k.")


@dataclass(frozen=True)
class Llama(Decoder):
    """The sizes of a Llama or Mistral model, and where its tensors go."""

    ARCHITECTURE = "llama"
    DEFAULTS: ClassVar[JsonObject] = {
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**NAMES, **BIASES}
    OPTIONAL = frozenset(BIASES)
    DROPPED = (*Family.DROPPED, *OTHER_SENSES, r"model\.connector\..*")
    PREFIXES: ClassVar[Mapping[str, str]] = {**TEXT_PREFIXES, "model.text_model.": "model."}
    STATES_HEAD_DIM: ClassVar[bool] = True  # also where config.json does not, as HF's LlamaConfig fills it in

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the config with the HF class's sizes where the text model is a part, for then config.json leaves them
        out."""
        is_mistral = config.get("model_type") == "mistral"
        defaults = _MISTRAL_DEFAULTS if is_mistral else _TEXT_DEFAULTS
        return {**defaults, **config} if "text_config" in config else config

    def check(self) -> None:
        """Refuse experts, and head counts that do not divide."""
        super().check()
        if self.n_expert and not self._has_experts:
            raise UnsupportedModel(f"This Llama model has {self.n_expert} experts, which the converter does not know.")

    @property
    def _has_experts(self) -> bool:
        return any("{e}" in theirs for theirs in self.TENSORS)

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture."""
        a = self.ARCHITECTURE
        lengths = ("key_length", "value_length") if self.STATES_HEAD_DIM else ()
        return super().metadata() | {
            **{f"{a}.attention.{key}": u32(self.head_dim) for key in lengths},
            f"{a}.vocab_size": u32(self.n_vocab),
            f"{a}.rope.dimension_count": u32(self.head_dim),
        }

    def transform(self, pattern: str) -> Transform:
        """Reorder the rotary rows of queries and keys, weights and biases."""
        return rope_pairs(self.head_dim) if pattern.startswith(_ROTARY) else Family.transform(self, pattern)

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Granite and SmolLM share a vocabulary of 49152 and start without bos; CodeLlama's 32016 has infill tokens."""
        prefix = tokenizer_config.get("add_prefix_space")
        values = {"tokenizer.ggml.add_space_prefix": flag(prefix)} if isinstance(prefix, bool) else {}
        if self.n_vocab == 49152:
            values["tokenizer.ggml.add_bos_token"] = flag(False)
        infill = {"prefix": 32007, "suffix": 32008, "middle": 32009, "eot": 32010} if self.n_vocab == 32016 else {}
        return values | {f"tokenizer.ggml.{kind}_token_id": u32(number) for kind, number in infill.items()}

    def computed(self) -> dict[str, Array]:
        """Give rope_freqs.weight for rope_type llama3."""
        rope = llama3_rope(self.rope)
        return {"rope_freqs.weight": llama3_rope_factors(rope, self.head_dim)} if rope else {}
