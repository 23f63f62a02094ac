"""Makes a random Llama checkpoint of 2.1 GB (1.04 billion weights, BF16) with SmolLM2's tokenizer, for benches."""

import json
import math
import sys
from pathlib import Path

import numpy as np

from tests.support.checkpoints import to_bf16, write_shards, write_smollm2_tokenizer

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632,
    "num_hidden_layers": 19, "num_attention_heads": 32, "num_key_value_heads": 4, "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "vocab_size": 49152, "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}  # fmt: skip
N_NOISE = 1 << 24


def large_checkpoint(folder: Path) -> Path:
    """Write it and return the folder; the weights repeat 16 million random ones from places that differ."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    write_smollm2_tokenizer(folder)
    rng = np.random.default_rng(1)
    noise = to_bf16(rng.standard_normal(N_NOISE, dtype=np.float32) * np.float32(0.02))
    write_shards(
        folder,
        {
            f"{name}.weight": np.resize(noise[int(rng.integers(0, 1 << 20)) :], math.prod(shape)).reshape(shape)
            for name, shape in _shapes().items()
        },
        1,
    )
    return folder


def _shapes() -> dict[str, tuple[int, ...]]:
    d, f, kv, n_vocab = 2048, 5632, 256, 49152
    block = {
        "self_attn.q_proj": (d, d), "self_attn.k_proj": (kv, d), "self_attn.v_proj": (kv, d),
        "self_attn.o_proj": (d, d), "mlp.gate_proj": (f, d), "mlp.up_proj": (f, d), "mlp.down_proj": (d, f),
        "input_layernorm": (d,), "post_attention_layernorm": (d,),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens": (n_vocab, d), "model.norm": (d,), "lm_head": (n_vocab, d)
    }  # fmt: skip
    for i in range(CONFIG["num_hidden_layers"]):
        shapes |= {f"model.layers.{i}.{name}": shape for name, shape in block.items()}
    return shapes


if __name__ == "__main__":
    large_checkpoint(Path(sys.argv[1]))
