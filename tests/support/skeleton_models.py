"""Models that llama.cpp loads from their header alone: dense, experts, windows, latent attention, hybrids.

Names, shapes and needed keys: llama.cpp src/models/*.cpp, load_arch_tensors and load_arch_hparams.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from converters.values import Value, f32, i32s, u32

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
N_VOCAB = 65536


@dataclass(frozen=True)
class SkeletonModel:
    """The sizes of a model and what its blocks hold; `keys` go beyond the common ones."""

    name: str
    kind: str
    architecture: str
    n_layers: int
    n_embd: int
    n_ff: int
    n_head: int
    n_head_kv: int
    block: Callable[["SkeletonModel", int], Shapes]
    head_dim: int = 0
    tied: bool = False
    n_expert: int = 0
    keys: Mapping[str, Value] = field(default_factory=dict)
    final_norm: str = "output_norm"

    @property
    def width(self) -> int:
        """Values of a head."""
        return self.head_dim or self.n_embd // self.n_head

    def shapes(self) -> Shapes:
        """Return every tensor of the file, outermost dimension first."""
        made: Shapes = {"token_embd.weight": (N_VOCAB, self.n_embd), f"{self.final_norm}.weight": (self.n_embd,)}
        if not self.tied:
            made["output.weight"] = (N_VOCAB, self.n_embd)
        for layer in range(self.n_layers):
            for name, shape in self.block(self, layer).items():
                full = name.removesuffix("!") if name.endswith(("!", ".bias")) else f"{name}.weight"
                made[f"blk.{layer}.{full}"] = shape
        return made

    def metadata(self) -> dict[str, Value]:
        """Return the keys that llama.cpp wants, without the architecture's prefix."""
        numbers = {
            "block_count": self.n_layers, "embedding_length": self.n_embd, "vocab_size": N_VOCAB,
            "feed_forward_length": self.n_ff, "attention.head_count": self.n_head, "context_length": 131072,
            "attention.head_count_kv": self.n_head_kv, "attention.key_length": self.width,
            "attention.value_length": self.width, "rope.dimension_count": self.width,
        }  # fmt: skip
        if self.n_expert:
            numbers |= {"expert_count": self.n_expert, "expert_used_count": 8, "expert_feed_forward_length": self.n_ff}
        epsilons = ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon")
        return {name: u32(number) for name, number in numbers.items()} | {e: f32(1e-5) for e in epsilons} | self.keys


def _norms(model: SkeletonModel, *names: str) -> Shapes:
    return dict.fromkeys(names, (model.n_embd,))


def _attention(model: SkeletonModel) -> Shapes:
    e, q, kv = model.n_embd, model.n_head * model.width, model.n_head_kv * model.width
    return {"attn_q": (q, e), "attn_k": (kv, e), "attn_v": (kv, e), "attn_output": (e, q)}


def _head_norms(model: SkeletonModel) -> Shapes:
    return {"attn_q_norm": (model.width,), "attn_k_norm": (model.width,)}


def _biases(model: SkeletonModel) -> Shapes:
    q, kv = model.n_head * model.width, model.n_head_kv * model.width
    return {"attn_q.bias": (q,), "attn_k.bias": (kv,), "attn_v.bias": (kv,)}


def _feed_forward(model: SkeletonModel, n_ff: int = 0) -> Shapes:
    e, f = model.n_embd, n_ff or model.n_ff
    return {"ffn_gate": (f, e), "ffn_up": (f, e), "ffn_down": (e, f)}


def _experts(model: SkeletonModel, shared: bool = False) -> Shapes:
    stacked = {f"{name}_exps": (model.n_expert, *shape) for name, shape in _feed_forward(model).items()}
    router = {"ffn_gate_inp": (model.n_expert, model.n_embd)}
    return router | stacked | ({f"{n}_shexp": s for n, s in _feed_forward(model).items()} if shared else {})


def _llama(model: SkeletonModel, _: int) -> Shapes:
    inside = _experts(model) if model.n_expert else _feed_forward(model)
    return _norms(model, "attn_norm", "ffn_norm") | _attention(model) | inside


def _qwen2(model: SkeletonModel, _: int) -> Shapes:
    return _llama(model, 0) | _biases(model)


def _qwen3(model: SkeletonModel, _: int) -> Shapes:
    return _llama(model, 0) | _head_norms(model)


def _qwen2_moe(model: SkeletonModel, _: int) -> Shapes:
    shared = {f"{n}_shexp": s for n, s in _feed_forward(model, 4 * model.n_ff).items()}
    return _qwen2(model, 0) | shared | {"ffn_gate_inp_shexp": (model.n_embd,)}


def _phi3(model: SkeletonModel, _: int) -> Shapes:
    rows = (model.n_head + 2 * model.n_head_kv) * model.width
    return _norms(model, "attn_norm", "ffn_norm") | {
        "attn_qkv": (rows, model.n_embd), "attn_output": (model.n_embd, model.n_embd),
        "ffn_up": (2 * model.n_ff, model.n_embd), "ffn_down": (model.n_embd, model.n_ff),
    }  # fmt: skip


def _gemma2(model: SkeletonModel, _: int) -> Shapes:
    return _llama(model, 0) | _norms(model, "post_attention_norm", "post_ffw_norm")


def _gemma3(model: SkeletonModel, _: int) -> Shapes:
    return _gemma2(model, 0) | _head_norms(model)


def _cohere2(model: SkeletonModel, _: int) -> Shapes:
    return _norms(model, "attn_norm") | _attention(model) | _feed_forward(model)


def _gpt_oss(model: SkeletonModel, _: int) -> Shapes:
    biases = {
        "attn_output.bias": (model.n_embd,), "ffn_gate_inp.bias": (model.n_expert,),
        "ffn_gate_exps.bias": (model.n_expert, model.n_ff), "ffn_up_exps.bias": (model.n_expert, model.n_ff),
        "ffn_down_exps.bias": (model.n_expert, model.n_embd), "attn_sinks": (model.n_head,),
    }  # fmt: skip
    return (
        _norms(model, "attn_norm", "post_attention_norm")
        | _attention(model)
        | _biases(model)
        | _experts(model)
        | biases
    )


def _deepseek(model: SkeletonModel, layer: int) -> Shapes:
    e, h = model.n_embd, model.n_head
    latent = {
        "attn_kv_a_mqa": (576, e), "attn_kv_a_norm": (512,), "attn_k_b": (h, 512, 128), "attn_v_b": (h, 128, 512),
        "attn_output": (e, h * 128),
    }  # fmt: skip
    rank = model.keys.get("attention.q_lora_rank")
    if rank is None:
        query: Shapes = {"attn_q": (h * 192, e)}
    else:
        query = {"attn_q_a": (1536, e), "attn_q_a_norm": (1536,), "attn_q_b": (h * 192, 1536)}
    inside = _feed_forward(model) if layer < 1 else _experts(model, shared=True)
    return _norms(model, "attn_norm", "ffn_norm") | latent | query | inside


def _mamba_block(model: SkeletonModel, inner: int, n_heads: int) -> Shapes:
    e = model.n_embd
    return {
        "ssm_in": (2 * inner + 256 + n_heads, e), "ssm_conv1d": (inner + 256, 4), "ssm_conv1d.bias": (inner + 256,),
        "ssm_dt.bias": (n_heads,), "ssm_a!": (n_heads, 1), "ssm_d!": (n_heads, 1), "ssm_norm": (1, inner),
        "ssm_out": (e, inner),
    }  # fmt: skip


def _granite_hybrid(model: SkeletonModel, layer: int) -> Shapes:
    mixer = _attention(model) if layer % 10 == 5 else _mamba_block(model, 2 * model.n_embd, 2 * model.n_embd // 64)
    inside = _experts(model) if model.n_expert else _feed_forward(model)
    return _norms(model, "attn_norm", "ffn_norm") | mixer | inside


def _mamba2(model: SkeletonModel, _: int) -> Shapes:
    return _norms(model, "attn_norm") | _mamba_block(model, 2 * model.n_embd, 2 * model.n_embd // 64)


def _lfm2(model: SkeletonModel, layer: int) -> Shapes:
    e = model.n_embd
    convolution = {"shortconv.conv": (e, 3), "shortconv.in_proj": (3 * e, e), "shortconv.out_proj": (e, e)}
    mixer = _attention(model) | _head_norms(model) if layer % 3 == 2 else convolution
    return _norms(model, "attn_norm", "ffn_norm") | mixer | _feed_forward(model)


def _qwen3_next(model: SkeletonModel, layer: int) -> Shapes:
    e, q, kv = model.n_embd, 2 * model.n_head * model.width, model.n_head_kv * model.width
    full = {"attn_q": (q, e), "attn_k": (kv, e), "attn_v": (kv, e), "attn_output": (e, q // 2)} | _head_norms(model)
    delta = {
        "attn_qkv": (8192, e), "attn_gate": (4096, e), "ssm_conv1d": (8192, 4), "ssm_dt.bias": (32,), "ssm_a!": (32,),
        "ssm_ba": (64, e), "ssm_norm": (128,), "ssm_out": (e, 4096),
    }  # fmt: skip
    mixer = full if layer % 4 == 3 else delta
    shared = {"ffn_gate_inp_shexp": (e,)}
    return _norms(model, "attn_norm", "post_attention_norm") | mixer | _experts(model, shared=True) | shared


def _ssm(inner: int, groups: int = 1, heads: int = 0) -> dict[str, Value]:
    numbers = {"conv_kernel": 4, "inner_size": inner, "state_size": 128, "time_step_rank": heads or inner // 64}
    return {f"ssm.{name}": u32(number) for name, number in {**numbers, "group_count": groups}.items()}


_LATENT = {
    "attention.kv_lora_rank": u32(512), "attention.key_length_mla": u32(192), "attention.value_length_mla": u32(128),
    "expert_shared_count": u32(1), "leading_dense_block_count": u32(1), "attention.key_length": u32(576),
    "attention.value_length": u32(512), "rope.dimension_count": u32(64), "expert_gating_func": u32(2),
}  # fmt: skip
M = SkeletonModel


def skeleton_models() -> list[SkeletonModel]:
    """Give all of them; the order is part of what a seed chooses."""
    window = {"attention.sliding_window": u32(1024)}
    return [
        M("SmolLM2 135M", "dense", "llama", 30, 576, 1536, 9, 3, _llama, tied=True),
        M("Qwen2.5 0.5B", "dense", "qwen2", 24, 896, 4864, 14, 2, _qwen2, tied=True),
        M("Llama 3.2 1B", "dense", "llama", 16, 2048, 8192, 32, 8, _llama, tied=True),
        M("Qwen3 4B", "dense", "qwen3", 36, 2560, 9728, 32, 8, _qwen3, head_dim=128, tied=True),
        M("Llama 3.1 8B", "dense", "llama", 32, 4096, 14336, 32, 8, _llama),
        M("Phi-4", "dense", "phi3", 40, 5120, 17920, 40, 10, _phi3),
        M("Mistral Small", "dense", "llama", 40, 5120, 32768, 32, 8, _llama, head_dim=128),
        M("Qwen2.5 32B", "dense", "qwen2", 64, 5120, 27648, 40, 8, _qwen2),
        M("Llama 3.3 70B", "dense", "llama", 80, 8192, 28672, 64, 8, _llama),
        M("LLaMA 13B", "dense", "llama", 40, 5120, 13824, 40, 40, _llama),
        M("Mixtral 8x7B", "experts", "llama", 32, 4096, 14336, 32, 8, _llama, n_expert=8),
        M("Qwen3 30B-A3B", "experts", "qwen3moe", 48, 2048, 768, 32, 4, _qwen3, head_dim=128, n_expert=128),
        M("Qwen1.5 MoE", "experts", "qwen2moe", 24, 2048, 1408, 16, 16, _qwen2_moe, n_expert=60,
          keys={"expert_shared_feed_forward_length": u32(5632)}),
        M("Qwen3 235B-A22B", "experts", "qwen3moe", 94, 4096, 1536, 64, 4, _qwen3, head_dim=128, n_expert=128),
        M("gpt-oss 20B", "experts", "gpt-oss", 24, 2880, 2880, 64, 8, _gpt_oss, head_dim=64, n_expert=32,
          keys={"attention.sliding_window": u32(128)}),
        M("Gemma 2 9B", "window", "gemma2", 42, 3584, 14336, 16, 8, _gemma2, head_dim=256, tied=True,
          keys={"attention.sliding_window": u32(4096)}),
        M("Gemma 3 12B", "window", "gemma3", 48, 3840, 15360, 16, 8, _gemma3, head_dim=256, tied=True, keys=window),
        M("Gemma 3 27B", "window", "gemma3", 62, 5376, 21504, 32, 16, _gemma3, head_dim=128, tied=True, keys=window),
        M("Command R7B", "window", "cohere2", 32, 4096, 14336, 32, 8, _cohere2, tied=True,
          keys={"attention.sliding_window": u32(4096), "logit_scale": f32(0.25)}),
        M("DeepSeek V2 Lite", "latent", "deepseek2", 27, 2048, 1408, 16, 1, _deepseek, n_expert=64, keys=_LATENT),
        M("DeepSeek 37 layers", "latent", "deepseek2", 37, 5120, 1536, 64, 1, _deepseek, n_expert=160,
          keys=_LATENT | {"attention.q_lora_rank": u32(1536)}),
        M("LFM2 1.2B", "hybrid", "lfm2", 16, 2048, 8192, 32, 8, _lfm2, tied=True, final_norm="token_embd_norm",
          keys={"shortconv.l_cache": u32(3), "attention.head_count_kv": i32s([0, 0, 8] * 5 + [0])}),
        M("Granite 4 hybrid", "hybrid", "granitehybrid", 40, 2048, 8192, 32, 8, _granite_hybrid, tied=True,
          keys=_ssm(4096) | {"attention.head_count_kv": i32s([8 if i % 10 == 5 else 0 for i in range(40)])}),
        M("Qwen3-Next", "hybrid", "qwen3next", 48, 2048, 512, 16, 2, _qwen3_next, head_dim=256, n_expert=512,
          keys=_ssm(4096, 16, 32) | {"expert_shared_feed_forward_length": u32(512), "rope.dimension_count": u32(64)}),
        M("Mamba 2 2.7B", "hybrid", "mamba2", 64, 2560, 0, 0, 0, _mamba2, head_dim=64, tied=True, keys=_ssm(5120)),
    ]  # fmt: skip
