"""Makes checkpoints of any size whose weights are a hole: they take no disk, and are read like any other."""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.checkpoints import byte_vocab, write_tokenizer

N_TOKENS = 264


def hollow_checkpoint(folder: Path, config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """Write config.json, a byte tokenizer, and one BF16 shard with these tensors, all zero."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokens, merges = byte_vocab()
    write_tokenizer(folder, tokens, [0, 1], merges)
    settings = {"bos_token": tokens[0], "eos_token": tokens[1]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    header: dict[str, Any] = {}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    raw = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(8 + len(raw) + offset)
    return folder


def fused_experts(folder: Path, n_layer: int, n_expert: int) -> Path:
    """Write a Qwen3-MoE whose gates and ups of 128 experts are one tensor of 1 GiB, with their downs 1.6 GB a layer."""
    n_embd, n_ff, n_head, head_dim = 2048, 1024, 16, 128
    config = {
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": n_embd,
        "intermediate_size": n_ff, "moe_intermediate_size": n_ff, "num_hidden_layers": n_layer,
        "num_attention_heads": n_head, "num_key_value_heads": 4, "head_dim": head_dim, "num_experts": n_expert,
        "num_experts_per_tok": 8, "vocab_size": N_TOKENS, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
        "rope_theta": 1e6, "tie_word_embeddings": False, "norm_topk_prob": True,
    }  # fmt: skip
    block = {
        "self_attn.q_proj.weight": (n_head * head_dim, n_embd), "self_attn.k_proj.weight": (4 * head_dim, n_embd),
        "self_attn.v_proj.weight": (4 * head_dim, n_embd), "self_attn.o_proj.weight": (n_embd, n_head * head_dim),
        "self_attn.q_norm.weight": (head_dim,), "self_attn.k_norm.weight": (head_dim,),
        "mlp.gate.weight": (n_expert, n_embd), "mlp.experts.gate_up_proj": (n_expert, 2 * n_ff, n_embd),
        "mlp.experts.down_proj": (n_expert, n_embd, n_ff), "input_layernorm.weight": (n_embd,),
        "post_attention_layernorm.weight": (n_embd,),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (N_TOKENS, n_embd), "model.norm.weight": (n_embd,),
        "lm_head.weight": (N_TOKENS, n_embd),
    }  # fmt: skip
    for i in range(n_layer):
        shapes |= {f"model.layers.{i}.{name}": shape for name, shape in block.items()}
    return hollow_checkpoint(folder, config, shapes)
