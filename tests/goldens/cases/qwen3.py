"""Qwen3: tied or not, biases, embeddings, and rerankers with either kind of head."""

import json
from pathlib import Path
from typing import Any

from tests.goldens.case import Case
from tests.goldens.cases.qwen2 import OLD_POOLING, sentence_transformer

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "eos_token_id": 288,
    "head_dim": 48,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 192,
    "max_position_embeddings": 40960,
    "max_window_layers": 2,
    "model_type": "qwen3",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 304,
}
TIED = CONFIG | {"tie_word_embeddings": True}
NEW = {key: value for key, value in CONFIG.items() if not key.startswith("rope_")} | {
    "rope_parameters": {"rope_theta": 5000000, "rope_type": "default"}
}
TOKENIZER = Path(__file__).parents[2] / "fixtures" / "tokenizers" / "bpe" / "tokenizer.json"
CARD = "---\nlicense: apache-2.0\npipeline_tag: text-ranking\n---\n# Qwen3-Reranker-0.6B\n"


def with_answers() -> dict[str, Any]:
    """A tokenizer that has the words yes and no in place of three others."""
    document = json.loads(TOKENIZER.read_text(encoding="utf-8"))
    vocabulary, merges = document["model"]["vocab"], document["model"]["merges"]
    for word, ours in {"de": "ye", "ue": "yes", "do": "no"}.items():
        vocabulary[ours] = vocabulary.pop(word)
        merges[merges.index(list(word))] = [ours[:-1], ours[-1]]
    return {"tokenizer.json": document}


CASES = {
    "qwen3": Case(CONFIG),
    "qwen3-tied": Case(TIED),
    "qwen3-new": Case(NEW, hf_class="Qwen3ForCausalLM"),
    "qwen3-bias": Case(
        CONFIG | {"attention_bias": True},
        rename=lambda shapes: {name: shape for name, shape in shapes.items() if "o_proj.bias" not in name},
    ),
    "qwen3-bare": Case({key: CONFIG[key] for key in ("architectures", "hidden_size", "intermediate_size", "model_type",
                        "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "vocab_size")}),
    "qwen3-embedding": Case(TIED, hf_class="Qwen3Model", files=sentence_transformer(OLD_POOLING)),
    "qwen3-embedding-model": Case(
        CONFIG | {"architectures": ["Qwen3Model"]}, files=sentence_transformer({"pooling_mode": "lasttoken"})
    ),
    "qwen3-reranker": Case(CONFIG, files=with_answers(), folder="Tiny-Qwen3-Reranker-8B"),
    "qwen3-reranker-tied": Case(TIED, files=with_answers() | {"README.md": CARD}),
}  # fmt: skip
