"""Llama: grouped heads, tied embeddings, head sizes, biases, every rotary scaling, every dtype, model cards."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "eos_token_id": 288,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 224,
    "max_position_embeddings": 2048,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 300,
}
SPM = CONFIG | {"bos_token_id": 1, "eos_token_id": 2, "rope_theta": 10000.0, "vocab_size": 488}
TIED = CONFIG | {"tie_word_embeddings": True}
BARE = {key: CONFIG[key] for key in ("architectures", "hidden_size", "intermediate_size", "model_type",
        "num_attention_heads", "num_hidden_layers", "vocab_size")}  # fmt: skip
WIDE = {"hidden_size": 256, "intermediate_size": 256}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 512}
YARN = {
    "factor": 4.0,
    "original_max_position_embeddings": 512,
    "beta_fast": 32,
    "beta_slow": 1,
    "attention_factor": 0.9,
}
YARN_OLD = {"factor": 2, "original_max_position_embeddings": 1024, "attn_factor": 1.5, "extrapolation_factor": 0.8}
OLD = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": (16,) for i in range(2)}

CARD = """---
license: apache-2.0
language: [en, de]
base_model:
- example/Big-Llama-7B-v1.5
datasets:
- example/some-texts
tags:
- text-generation
- tiny
pipeline_tag: text-generation
model_name: Tiny Chat
model_creator: Example Organization
---
# Tiny
"""
OTHER_CARD = """---
license: other
license_name: tiny-research
license_link: https://example.org/tiny/LICENSE
language:
- en
base_model: example/Big-Llama-7B
datasets: example/some-texts
tags: tiny
author: Example Author
version: v2
description: "A model: with a colon"
quantized_by: somebody
---
Text.
"""
SAMPLING = {"temperature": 0.6, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.1, "do_sample": True}
TEMPLATES = [
    {"name": "default", "template": "{{ messages[0]['content'] }}"},
    {"name": "tool_use", "template": "{{ tools }}{{ messages[0]['content'] }}"},
    {"name": "rag v2", "template": "{{ documents }}"},
]

CASES = {
    "llama": Case(CONFIG),
    "llama-old-name": Case(CONFIG | {"architectures": ["LLaMAForCausalLM"]}, hf_class="LlamaForCausalLM", extra=OLD),
    "llama-bare": Case(BARE),
    "llama-tied": Case(TIED | {"num_key_value_heads": 4}),
    "llama-tied-head": Case(
        TIED, extra={"lm_head.weight": (300, 128)}, values={r"lm_head\.weight": "as:model.embed_tokens.weight"}
    ),
    "llama-tied-other-head": Case(TIED, extra={"lm_head.weight": (300, 128)}),
    "llama-odd": Case(
        CONFIG
        | {
            "hidden_size": 144,
            "intermediate_size": 200,
            "head_dim": 24,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
        }
    ),
    "llama-bias": Case(CONFIG | {"attention_bias": True, "mlp_bias": True}),
    "llama-linear": Case(CONFIG | {"rope_scaling": {"type": "linear", "factor": 2.5}}),
    "llama-dynamic": Case(CONFIG | {"rope_scaling": {"type": "dynamic", "factor": 2.0}}),
    "llama-yarn": Case(CONFIG | {"rope_scaling": {"rope_type": "yarn", **YARN}}),
    "llama-yarn-old": Case(CONFIG | {"rope_scaling": {"type": "yarn", **YARN_OLD}}),
    "llama-llama3": Case(TIED | {"rope_scaling": {"rope_type": "llama3", **LLAMA3}}),
    "llama-llama3-new": Case(
        {key: value for key, value in CONFIG.items() if not key.startswith("rope_")}
        | {"head_dim": 64, "rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA3, "factor": 32.0}}
    ),
    "llama-f16": Case(CONFIG | {"torch_dtype": "float16"}, dtype="F16", shards=3),
    "llama-f32": Case(CONFIG | WIDE | {"torch_dtype": "float32"}, dtype="F32"),
    "llama-mixed": Case(
        CONFIG | WIDE, dtypes={r".*norm\.weight|lm_head\.weight|.*embed.*": "F32", r".*\.k_proj.*": "F16"}
    ),
    "llama-mixed-shards": Case(CONFIG | WIDE, dtypes={r"lm_head.*|.*layers\.0\..*": "F16"}, shards=3),
    "llama-spm": Case(SPM, tokenizer="spm"),
    "llama-spm-bpe": Case(SPM | {"vocab_size": 480}, tokenizer="spm_bpe"),
    "llama-code": Case(SPM | {"hidden_size": 64, "vocab_size": 32016}, tokenizer="spm"),
    "llama-49152": Case(TIED | {"hidden_size": 64, "vocab_size": 49152}),
    "llama-card": Case(
        CONFIG, files={"README.md": CARD, "generation_config.json": SAMPLING}, folder="Tiny-Llama-1.1B-Chat-v0.3"
    ),
    "llama-card-other": Case(
        CONFIG | {"_name_or_path": "example/Tiny-Llama-8B-Preview"},
        files={"README.md": OTHER_CARD, "generation_config.json": {"top_k": 50, "penalty_repeat": 1.5}},
        folder="llama_tiny",
    ),
    "llama-folder": Case(CONFIG, folder="Example-2-Tiny-8B-Instruct-2507"),
    "llama-jinja": Case(
        CONFIG | {"eos_token_id": [286, 288]},
        files={
            "tokenizer_config.json": {
                "clean_up_tokenization_spaces": False,
                "eos_token": "<|im_end|>",
                "tokenizer_class": "PreTrainedTokenizerFast",
            },
            "chat_template.jinja": "{{ messages[0]['content'] }}\n",
            "generation_config.json": {"eos_token_id": [286, 288], "temperature": 1},
        },
    ),
    "llama-templates": Case(
        CONFIG,
        files={
            "tokenizer_config.json": {
                "bos_token": {"__type": "AddedToken", "content": "<|im_start|>"},
                "eos_token": "<|im_end|>",
                "pad_token": "<|endoftext|>",
                "add_bos_token": True,
                "add_prefix_space": False,
                "chat_template": TEMPLATES,
                "clean_up_tokenization_spaces": False,
                "tokenizer_class": "PreTrainedTokenizerFast",
            },
        },
    ),
}
