"""What most decoders have in common: the names of attention and gated feed-forward, and their shapes.

Source: HF modeling_llama.py, whose names most later classes took over; llama.cpp gguf-py/gguf/tensor_mapping.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from converters.errors import BadCheckpoint
from converters.families.base import Family, size
from converters.values import Value, u32

EMBEDDINGS = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_ATTENTION = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
              "self_attn.o_proj": "attn_output"}  # fmt: skip
_FEED_FORWARD = {"mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def block_names(names: Mapping[str, str], part: str = "weight") -> dict[str, str]:
    """Give table rows for modules of a block: HF's name within the layer -> GGUF's within the block."""
    return {f"model.layers.{{i}}.{theirs}.{part}": f"blk.{{i}}.{ours}.{part}" for theirs, ours in names.items()}


ATTENTION = block_names(_ATTENTION)
FEED_FORWARD = block_names(_FEED_FORWARD)
QK_NORMS = block_names({"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"})
NORMS = block_names({"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"})
NAMES: dict[str, str] = {**EMBEDDINGS, **NORMS, **ATTENTION, **FEED_FORWARD}
ATTENTION_BIASES = block_names(_ATTENTION, "bias")
QKV_BIASES = {theirs: ours for theirs, ours in ATTENTION_BIASES.items() if ".o_proj." not in theirs}
BIASES = ATTENTION_BIASES | block_names(_FEED_FORWARD, "bias")
EXPERTS = block_names(
    {"mlp.gate": "ffn_gate_inp"}
    | {f"mlp.experts.{{e}}.{part}_proj": f"ffn_{part}_exps" for part in ("gate", "up", "down")}
)


@dataclass(frozen=True)
class Decoder(Family):
    """A decoder with rotary attention by heads; what differs is the subclass's."""

    n_embd: int = size("hidden_size")
    n_ff: int = size("intermediate_size", 0)
    n_head: int = size("num_attention_heads")
    stated_head_count_kv: int = size("num_key_value_heads", 0)
    stated_head_dim: int = size("head_dim", 0)
    n_vocab: int = size("vocab_size")

    @property
    def n_head_kv(self) -> int:
        """Key-value heads; without grouping as many as heads."""
        return self.stated_head_count_kv or self.n_head

    @property
    def head_dim(self) -> int:
        """Rows of one head in the projections."""
        return self.stated_head_dim or self.n_embd // self.n_head

    def metadata(self) -> dict[str, Value]:
        """Give the keys that config.json states; key-value heads always, for they may be left out."""
        return super().metadata() | {f"{self.ARCHITECTURE}.attention.head_count_kv": u32(self.n_head_kv)}

    def check(self) -> None:
        """Raise BadCheckpoint when heads, key-value heads and width do not go together."""
        if not self.n_head or not self.n_head_kv or self.n_head % self.n_head_kv or not self.n_embd:
            raise BadCheckpoint(f"config.json: {self.n_head} heads and {self.n_head_kv} key-value heads do not divide.")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of the usual weights."""
        q_rows, kv_rows = self.n_head * self.head_dim, self.n_head_kv * self.head_dim
        return {
            "token_embd.weight": (self.n_vocab, self.n_embd),
            "output.weight": (self.n_vocab, self.n_embd),
            "output_norm.weight": (self.n_embd,),
            "blk.{i}.attn_norm.weight": (self.n_embd,),
            "blk.{i}.ffn_norm.weight": (self.n_embd,),
            "blk.{i}.attn_q.weight": (q_rows, self.n_embd),
            "blk.{i}.attn_q.bias": (q_rows,),
            "blk.{i}.attn_k.weight": (kv_rows, self.n_embd),
            "blk.{i}.attn_v.weight": (kv_rows, self.n_embd),
            "blk.{i}.attn_k.bias": (kv_rows,),
            "blk.{i}.attn_v.bias": (kv_rows,),
            "blk.{i}.attn_output.weight": (self.n_embd, q_rows),
            "blk.{i}.attn_output.bias": (self.n_embd,),
            "blk.{i}.ffn_gate.weight": (self.n_ff, self.n_embd),
            "blk.{i}.ffn_up.weight": (self.n_ff, self.n_embd),
            "blk.{i}.ffn_down.weight": (self.n_embd, self.n_ff),
            "blk.{i}.ffn_gate.bias": (self.n_ff,),
            "blk.{i}.ffn_up.bias": (self.n_ff,),
            "blk.{i}.ffn_down.bias": (self.n_embd,),
        }
