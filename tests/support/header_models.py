"""The models whose headers are compared with llama.cpp: real ones that made trouble, and small ones of every kind."""

from dataclasses import replace

from tests.support.headers import ARCHITECTURES, EXPERT_KEYS, Model


def real_models() -> list[Model]:
    """The shapes that made trouble: real sizes of real models."""
    return [
        Model("llama", 32, 4096, 14336, 32, 8, label="Llama 3.1 8B"),
        Model("llama", 16, 2048, 8192, 32, 8, tied=True, label="Llama 3.2 1B"),
        Model("llama", 80, 8192, 28672, 64, 8, label="Llama 3.3 70B"),
        Model("llama", 80, 8192, 22016, 64, 64, label="LLaMA 65B"),
        Model("llama", 32, 4096, 14336, 32, 8, n_expert=8, label="Mixtral 8x7B"),
        Model("llama", 30, 576, 1536, 9, 3, tied=True, label="SmolLM2 135M"),
        Model("qwen2", 80, 8192, 29568, 64, 8, label="Qwen2.5 72B"),
        Model("qwen2", 24, 896, 4864, 14, 2, tied=True, label="Qwen2.5 0.5B"),
        Model("qwen2moe", 24, 2048, 1408, 16, 16, n_expert=60, shared_expert=True, label="Qwen1.5 MoE"),
        Model("qwen3moe", 48, 2048, 768, 32, 4, head_dim=128, n_expert=128, label="Qwen3 30B-A3B"),
        Model("phi3", 40, 5120, 17920, 40, 10, label="Phi-4"),
        Model("gpt-oss", 24, 2880, 2880, 64, 8, head_dim=64, n_expert=32, kept_experts=True, label="gpt-oss 20B"),
        Model("gpt-oss", 9, 2880, 2880, 64, 8, head_dim=64, n_expert=32, label="gpt-oss in BF16"),
        Model("deepseek2", 27, 2048, 1408, 16, 1, n_expert=64, n_dense=1, shared_expert=True, label="DeepSeek V2 Lite"),
        Model("deepseek2", 9, 2048, 1408, 16, 16, n_expert=64, n_dense=1, label="deepseek2, kv_b in one"),
        Model("glm4moe", 47, 4096, 1408, 96, 8, head_dim=128, n_expert=128, n_dense=1, n_nextn=1, shared_expert=True,
              label="GLM-4.5 Air"),
        Model("deci", 80, 8192, 28672, 64, 8),
        Model("olmo", 80, 2048, 8192, 16, 16),
        Model("jais2", 68, 3328, 26624, 26, 26),
        Model("olmo2", 81, 1024, 2816, 16, 4),
        Model("qwen3next", 49, 2048, 512, 16, 2, n_expert=512, n_nextn=1, shared_expert=True, label="Qwen3-Next"),
        Model("qwen2", 81, 1024, 2816, 16, 4, n_nextn=1, label="80 layers and one more"),
        Model("lfm2", 16, 2048, 8192, 32, 8, kv_array=(0, 0, 8) * 5 + (8,), label="LFM2 1.2B"),
        Model("nemotron_h", 52, 4480, 15680, 40, 8, kv_array=(0, 0, 0, 8) * 13, label="Nemotron-H 8B"),
    ]  # fmt: skip


_HYBRID = ("granitehybrid", "lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe")


def _small(architecture: str) -> list[Model]:
    """Small models of an architecture: widths that 256, or even 32, does not divide; 8 experts; tied; few heads."""
    base = Model(architecture)
    if architecture in _HYBRID:
        base = replace(base, kv_array=(0, 0, 4) * 3)
    made = [
        base,
        replace(base, tied=True, n_embd=1056, n_ff=2720, n_head=8),
        replace(base, n_embd=1008, n_ff=2000, n_head=12, head_dim=72),
        replace(base, n_layer=18, n_head_kv=8, kv_array=(8, 8, 0) * 6 if base.kv_array else ()),
    ]
    if ARCHITECTURES[architecture].keys.keys() & EXPERT_KEYS or architecture in ("llama", "olmoe", "granitemoe"):
        experts = {"n_expert": 8, "n_ff": 768, "shared_expert": architecture != "llama"}
        made += [replace(model, **experts) for model in made]
        made += [replace(base, n_expert=60, n_ff=544, n_dense=2)]
    return made


def all_models() -> list[Model]:
    """Give every header of the table's test."""
    return real_models() + [model for architecture in ARCHITECTURES for model in _small(architecture)]
