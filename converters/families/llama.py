"""Llama and Mistral: HF LlamaForCausalLM and MistralForCausalLM, GGUF architecture "llama".

Source: HF modeling_llama.py, modeling_mistral.py; llama.cpp conversion/llama.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Family, size
from converters.families.rope import Rope, llama3_rope, rope_metadata, rope_settings
from converters.jsonfile import JsonObject
from converters.quant_types import ModelSizes
from converters.transforms import IDENTITY, Array, RowTransform, llama3_rope_factors, rope_pairs
from converters.values import Value, f32, flag, u32

_PROJECTIONS = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip
_ROTARY = ("blk.{i}.attn_q.", "blk.{i}.attn_k.")


@dataclass(frozen=True)
class Llama(Family):
    """The sizes of a Llama or Mistral model, and where its tensors go."""

    ARCHITECTURE = "llama"
    TENSORS = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
        "model.layers.{i}.input_layernorm.weight": "blk.{i}.attn_norm.weight",
        "model.layers.{i}.post_attention_layernorm.weight": "blk.{i}.ffn_norm.weight",
    } | {
        f"model.layers.{{i}}.{theirs}.{part}": f"blk.{{i}}.{ours}.{part}"
        for theirs, ours in _PROJECTIONS.items()
        for part in ("weight", "bias")
    }
    OPTIONAL = frozenset(name for name in TENSORS if name.endswith(".bias"))
    DROPPED = (r".*\.rotary_emb\.inv_freq", r".*\.attention\.(masked_)?bias")

    n_embd: int = size("hidden_size")
    n_ff: int = size("intermediate_size")
    n_head: int = size("num_attention_heads")
    head_count_kv: int = size("num_key_value_heads", 0)  # 0: not stated
    stated_head_dim: int = size("head_dim", 0)
    n_vocab: int = size("vocab_size")
    n_ctx: int = size("max_position_embeddings", 2048)
    rms_eps: float = size("rms_norm_eps", 1e-6)
    rope_theta: float = size("rope_theta", 10000.0)
    rope_scaling: Mapping[str, Any] | None = size("rope_scaling", None)
    rope_parameters: Mapping[str, Any] | None = size("rope_parameters", None)
    n_expert: int = size("num_local_experts", 0)

    @property
    def n_head_kv(self) -> int:
        """Key-value heads; without grouping as many as heads."""
        return self.head_count_kv or self.n_head

    @property
    def head_dim(self) -> int:
        """Rows of one head in the projections."""
        return self.stated_head_dim or self.n_embd // self.n_head

    @property
    def rope(self) -> Rope:
        """The rotary settings, from wherever config.json has them."""
        return rope_settings(self.rope_parameters, self.rope_scaling, self.rope_theta)

    def check(self) -> None:
        """Refuse experts, and head counts that do not divide."""
        if self.n_expert:
            raise UnsupportedModel(f"This Llama model has {self.n_expert} experts, which the converter does not know.")
        self.check_heads()

    def check_heads(self) -> None:
        """Raise BadCheckpoint when heads, key-value heads and width do not go together."""
        if not self.n_head or not self.n_head_kv or self.n_head % self.n_head_kv or not self.n_embd:
            raise BadCheckpoint(f"config.json: {self.n_head} heads and {self.n_head_kv} key-value heads do not divide.")

    def metadata(self) -> dict[str, Value]:
        """Give the llama.* keys."""
        return {
            "llama.block_count": u32(self.n_layer),
            "llama.context_length": u32(self.n_ctx),
            "llama.embedding_length": u32(self.n_embd),
            "llama.feed_forward_length": u32(self.n_ff),
            "llama.attention.head_count": u32(self.n_head),
            "llama.attention.head_count_kv": u32(self.n_head_kv),
            **rope_metadata("llama", self.rope),
            "llama.attention.layer_norm_rms_epsilon": f32(self.rms_eps),
            "llama.attention.key_length": u32(self.head_dim),
            "llama.attention.value_length": u32(self.head_dim),
            "llama.vocab_size": u32(self.n_vocab),
            "llama.rope.dimension_count": u32(self.head_dim),
        }

    def model_sizes(self) -> ModelSizes:
        """Give what the type chooser looks at."""
        return ModelSizes("llama", self.n_layer, self.n_head, self.n_head_kv)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        q_rows, kv_rows = self.n_head * self.head_dim, self.n_head_kv * self.head_dim
        return {
            "token_embd.weight": (self.n_vocab, self.n_embd),
            "output.weight": (self.n_vocab, self.n_embd),
            "output_norm.weight": (self.n_embd,),
            "blk.{i}.attn_norm.weight": (self.n_embd,),
            "blk.{i}.ffn_norm.weight": (self.n_embd,),
            "blk.{i}.attn_q.weight": (q_rows, self.n_embd),
            "blk.{i}.attn_k.weight": (kv_rows, self.n_embd),
            "blk.{i}.attn_v.weight": (kv_rows, self.n_embd),
            "blk.{i}.attn_output.weight": (self.n_embd, q_rows),
            "blk.{i}.ffn_gate.weight": (self.n_ff, self.n_embd),
            "blk.{i}.ffn_up.weight": (self.n_ff, self.n_embd),
            "blk.{i}.ffn_down.weight": (self.n_embd, self.n_ff),
        }

    def transform(self, pattern: str) -> RowTransform:
        """Reorder the rotary rows of queries and keys, weights and biases."""
        return rope_pairs(self.head_dim) if pattern.startswith(_ROTARY) else IDENTITY

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
