"""Qwen2: tied or not, odd heads, YaRN as the model card advises it, and models that give embeddings."""

from collections.abc import Mapping

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "eos_token_id": 288,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 224,
    "max_position_embeddings": 32768,
    "max_window_layers": 2,
    "model_type": "qwen2",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_mrope": False,
    "use_sliding_window": False,
    "vocab_size": 304,
}
TIED = CONFIG | {"tie_word_embeddings": True}
EMBEDDING = CONFIG | {"architectures": ["Qwen2Model"]}
YARN = {"factor": 4.0, "original_max_position_embeddings": 32768, "type": "yarn"}
OLD_POOLING = {
    "pooling_mode_cls_token": False,
    "pooling_mode_lasttoken": True,
    "pooling_mode_mean_tokens": False,
    "word_embedding_dimension": 128,
}


def sentence_transformer(pooling: Mapping[str, object]) -> dict[str, object]:
    """The files of a model that sentence-transformers opens."""
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds.items())
    ]
    return {"modules.json": modules, "1_Pooling/config.json": dict(pooling)}


CASES = {
    "qwen2": Case(CONFIG),
    "qwen2-bare": Case({key: CONFIG[key] for key in ("architectures", "hidden_size", "intermediate_size", "model_type",
                        "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "vocab_size")}),
    "qwen2-tied": Case(TIED | {"hidden_size": 112, "num_attention_heads": 7, "num_key_value_heads": 1}),
    "qwen2-yarn": Case(TIED | {"rope_scaling": YARN}),
    "qwen2-embedding": Case(
        EMBEDDING, files=sentence_transformer({"pooling_mode": "mean", "word_embedding_dimension": 128})
    ),
    "qwen2-embedding-causal": Case(
        CONFIG, hf_class="Qwen2Model", files=sentence_transformer(OLD_POOLING)
    ),
    "qwen2-embedding-cls": Case(TIED, files=sentence_transformer({"pooling_mode_cls_token": True})),
}  # fmt: skip
