"""Header-only models of many architectures: tensor names and shapes, and the metadata that llama.cpp wants to see.

Only what the choice of types looks at is true to the model: names, shapes, counts. Names: gguf-py/gguf/constants.py;
needed keys: src/models/*.cpp, load_arch_hparams.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from converters.values import Value, ValueType, f32, i32s, text, u32

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
N_VOCAB = 1000


@dataclass(frozen=True)
class Model:
    """A model of which only the header exists; heads and kinds may differ per block."""

    architecture: str
    n_layer: int = 9
    n_embd: int = 1024
    n_ff: int = 2816
    n_head: int = 16
    n_head_kv: int = 4
    head_dim: int = 0
    n_expert: int = 0
    n_dense: int = 0  # leading blocks without experts
    n_nextn: int = 0
    tied: bool = False
    kv_array: tuple[int, ...] = ()  # key-value heads per block, where they differ
    shared_expert: bool = False
    kept_experts: bool = False  # stored as MXFP4
    label: str = ""

    @property
    def width(self) -> int:
        """Values of a head."""
        return self.head_dim or self.n_embd // self.n_head

    @property
    def name(self) -> str:
        """What the test calls it."""
        return self.label or f"{self.architecture}-{self.n_layer}x{self.n_embd}-e{self.n_expert}"

    def kv(self, block: int) -> int:
        """Key-value heads of a block; 0 where it has no attention."""
        return self.kv_array[block] if self.kv_array else self.n_head_kv


Layer = Callable[[Model, int], Shapes]


def _attention(model: Model, i: int) -> Shapes:
    rows, e = model.n_head * model.width, model.n_embd
    kv = model.kv(i) * model.width
    return {"attn_q": (rows, e), "attn_k": (kv, e), "attn_v": (kv, e), "attn_output": (e, rows)}


def _attention_bias(model: Model, i: int) -> Shapes:
    shapes = _attention(model, i)
    return shapes | {f"{name}.bias": shape[:1] for name, shape in shapes.items() if name != "attn_output"}


def _attention_norms(model: Model, i: int) -> Shapes:
    return _attention(model, i) | {"attn_q_norm": (model.width,), "attn_k_norm": (model.width,)}


def _attention_fused(model: Model, i: int) -> Shapes:
    rows = (model.n_head + 2 * model.kv(i)) * model.width
    return {"attn_qkv": (rows, model.n_embd), "attn_output": (model.n_embd, model.n_head * model.width)}


def _attention_sinks(model: Model, i: int) -> Shapes:
    return _attention_bias(model, i) | {"attn_sinks": (model.n_head,)}


def _latent(model: Model, i: int) -> Shapes:
    """Multi-head latent attention: 128 + 64 values a head, rank 512."""
    e, h = model.n_embd, model.n_head
    return {
        "attn_q_a": (768, e), "attn_q_a_norm": (768,), "attn_q_b": (h * 192, 768), "attn_kv_a_mqa": (576, e),
        "attn_kv_a_norm": (512,), "attn_k_b": (h, 512, 128), "attn_v_b": (h, 128, 512), "attn_output": (e, h * 128),
    }  # fmt: skip


def _latent_joined(model: Model, i: int) -> Shapes:
    """The same as files before the split of kv_b have it, without a low-rank query."""
    e, h = model.n_embd, model.n_head
    return {"attn_q": (h * 192, e), "attn_kv_a_mqa": (576, e), "attn_kv_a_norm": (512,), "attn_kv_b": (h * 256, 512),
            "attn_output": (e, h * 128)}  # fmt: skip


def _delta(model: Model, i: int) -> Shapes:
    """Three gated delta-net blocks, then one of attention (Qwen3-Next)."""
    if i % 4 == 3 or i >= model.n_layer - model.n_nextn:
        return _attention_norms(model, i)
    e, h = model.n_embd, model.n_head
    return {
        "attn_qkv": (4 * 128 * h, e), "attn_gate": (2 * 128 * h, e), "ssm_conv1d": (4 * 128 * h, 4),
        "ssm_dt.bias": (h,), "ssm_a.": (h,), "ssm_ba": (4 * h, e), "ssm_norm": (128,), "ssm_out": (e, 2 * 128 * h),
    }  # fmt: skip


def _delta_apart(model: Model, i: int) -> Shapes:
    """The same with separate gates (Qwen3.5)."""
    shapes = _delta(model, i)
    if shapes.pop("ssm_ba", None):
        shapes |= {"ssm_beta": (model.n_head, model.n_embd), "ssm_alpha": (model.n_head, model.n_embd)}
    return shapes


def _mamba(model: Model, i: int) -> Shapes:
    """A Mamba 2 block where there are no key-value heads, else attention."""
    if model.kv(i):
        return _attention(model, i)
    e, inner, h = model.n_embd, 2 * model.n_embd, model.n_head
    return {"ssm_in": (2 * inner + 256 + h, e), "ssm_conv1d": (inner + 256, 4), "ssm_conv1d.bias": (inner + 256,),
            "ssm_dt.bias": (h,), "ssm_a.": (h, 1), "ssm_d.": (h, 1), "ssm_norm": (2, inner // 2),
            "ssm_out": (e, inner)}  # fmt: skip


def _short_convolution(model: Model, i: int) -> Shapes:
    if model.kv(i):
        return _attention_norms(model, i)
    e = model.n_embd
    return {"shortconv.conv": (e, 3), "shortconv.in_proj": (3 * e, e), "shortconv.out_proj": (e, e)}


def _gated(model: Model, i: int) -> Shapes:
    up, down = (model.n_ff, model.n_embd), (model.n_embd, model.n_ff)
    return {"ffn_gate": up, "ffn_up": up, "ffn_down": down}


def _gate_in_up(model: Model, i: int) -> Shapes:
    return {"ffn_up": (2 * model.n_ff, model.n_embd), "ffn_down": (model.n_embd, model.n_ff)}


def _ungated(model: Model, i: int) -> Shapes:
    return {"ffn_up": (model.n_ff, model.n_embd), "ffn_down": (model.n_embd, model.n_ff)}


def _experts(model: Model, i: int) -> Shapes:
    if not model.n_expert or i < model.n_dense:
        return _gated(model, i)
    e, n = model.n_embd, model.n_expert
    stacked = {f"{name}_exps": (n, *shape) for name, shape in _gated(model, i).items()}
    shapes: Shapes = {"ffn_gate_inp": (n, e), "exp_probs_b.bias": (n,), **stacked}
    if model.shared_expert:
        shapes |= {f"{name}_shexp": shape for name, shape in _gated(model, i).items()}
        shapes["ffn_gate_inp_shexp"] = (1, e)
    return shapes


def _hybrid_feed_forward(model: Model, i: int) -> Shapes:
    """Nemotron-H: a block is Mamba, attention or a feed-forward, never two of them."""
    if i % 3 == 1 and not model.kv(i):
        return {name: s for name, s in _experts(model, i).items() if "gate" not in name or "inp" in name}
    return _mamba(model, i)


def _per_layer_embedding(model: Model, i: int) -> Shapes:
    e = model.n_embd
    return {**_attention_norms(model, i), **_gated(model, i), "inp_gate": (256, e), "proj": (e, 256), "post_norm": (e,)}


def _altup(model: Model, i: int) -> Shapes:
    e = model.n_embd
    return _per_layer_embedding(model, i) | {
        "altup_correct_coef": (4, 4), "altup_correct_scale": (e,), "altup_predict_coef": (16, 4),
        "altup_router": (4, e), "altup_router_norm": (e,), "laurel_l": (64, e), "laurel_r": (e, 64),
        "laurel_post_norm": (e,),
    }  # fmt: skip


def _gemma4(model: Model, i: int) -> Shapes:
    shapes = _per_layer_embedding(model, i) | {"layer_output_scale": (1,)}
    if model.n_expert:
        shapes |= _experts(model, i) | {"ffn_gate_inp.scale": (model.n_embd,), "ffn_down_exps.scale": (model.n_expert,)}
    return shapes


def _no_block(model: Model, i: int) -> Shapes:
    return {}


@dataclass(frozen=True)
class Architecture:
    """How the blocks of an architecture are made, and the keys it needs beyond the common ones."""

    mixer: Layer
    feed_forward: Layer = _gated
    keys: Mapping[str, Value] = field(default_factory=dict)
    outside: Callable[[Model], Shapes] = lambda model: {}


_SECTIONS = {"rope.dimension_sections": i32s([16, 24, 24, 0])}
_WINDOW = {"attention.sliding_window": u32(512)}
_SSM = {
    f"ssm.{key}": u32(number)
    for key, number in (("conv_kernel", 4), ("inner_size", 2048), ("state_size", 128), ("time_step_rank", 16),
                        ("group_count", 2))
}  # fmt: skip
EXPERT_KEYS = {"expert_feed_forward_length": u32(512), "expert_shared_count": u32(1), "expert_gating_func": u32(2)}
_SCALES = {
    "logit_scale": f32(8.0), "residual_scale": f32(0.2), "embedding_scale": f32(12.0), "attention.scale": f32(0.1),
}  # fmt: skip
_LATENT = {
    "attention.q_lora_rank": u32(768), "attention.kv_lora_rank": u32(512), "attention.key_length_mla": u32(192),
    "attention.value_length_mla": u32(128), "expert_weights_scale": f32(2.5), **EXPERT_KEYS,
}  # fmt: skip


def _per_layer_outside(model: Model) -> Shapes:
    rows = 256 * model.n_layer
    return {"per_layer_token_embd.weight": (N_VOCAB, rows), "per_layer_model_proj.weight": (rows, model.n_embd),
            "per_layer_proj_norm.weight": (256,)}  # fmt: skip


def _altup_outside(model: Model) -> Shapes:
    square = (3, model.n_embd, model.n_embd)
    return _per_layer_outside(model) | {"altup_proj.weight": square, "altup_unembd_proj.weight": square}


def _rope_factors(model: Model) -> Shapes:
    return {"rope_factors_long.weight": (model.width // 2,), "rope_factors_short.weight": (model.width // 2,)}


def _rope_frequencies(model: Model) -> Shapes:
    return {"rope_freqs.weight": (model.width // 2,)}


ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(_attention, _experts, outside=_rope_frequencies),
    "mistral3": Architecture(_attention),
    "deci": Architecture(_attention),
    "qwen2": Architecture(_attention_bias),
    "qwen2moe": Architecture(_attention_bias, _experts, EXPERT_KEYS),
    "qwen2vl": Architecture(_attention_bias, keys=_SECTIONS),
    "qwen3": Architecture(_attention_norms),
    "qwen3moe": Architecture(_attention_norms, _experts, EXPERT_KEYS),
    "qwen3vl": Architecture(_attention_norms, keys=_SECTIONS),
    "qwen3vlmoe": Architecture(_attention_norms, _experts, _SECTIONS | EXPERT_KEYS),
    "qwen3next": Architecture(_delta, _experts, _SSM | EXPERT_KEYS),
    "qwen35": Architecture(_delta_apart, keys=_SSM | _SECTIONS),
    "qwen35moe": Architecture(_delta_apart, _experts, _SSM | _SECTIONS | EXPERT_KEYS),
    "gemma": Architecture(_attention),
    "gemma2": Architecture(_attention, keys=_WINDOW),
    "gemma3": Architecture(_attention_norms, keys=_WINDOW),
    "gemma3n": Architecture(_altup, _no_block, _WINDOW, _altup_outside),
    "gemma4": Architecture(
        _gemma4, _no_block,
        _WINDOW | {"embedding_length_per_layer_input": u32(256), "attention.key_length_swa": u32(256),
                   "attention.value_length_swa": u32(256)},
        _per_layer_outside,
    ),
    "phi3": Architecture(_attention_fused, _gate_in_up, outside=_rope_factors),
    "gpt-oss": Architecture(_attention_sinks, _experts, _WINDOW | EXPERT_KEYS),
    "deepseek2": Architecture(_latent, _experts, _LATENT),
    "glm4": Architecture(_attention_bias, _gate_in_up),
    "glm4moe": Architecture(_attention_bias, _experts, EXPERT_KEYS),
    "granite": Architecture(_attention, keys=_SCALES),
    "granitemoe": Architecture(_attention, _experts, _SCALES),
    "granitehybrid": Architecture(_mamba, _experts, _SCALES | _SSM),
    "olmo": Architecture(_attention),
    "olmo2": Architecture(_attention_norms),
    "olmoe": Architecture(_attention_norms, _experts),
    "smollm3": Architecture(_attention),
    "command-r": Architecture(_attention),
    "cohere2": Architecture(_attention, keys=_WINDOW | _SCALES),
    "lfm2": Architecture(_short_convolution, keys={"shortconv.l_cache": u32(3)}),
    "lfm2moe": Architecture(_short_convolution, _experts, {"shortconv.l_cache": u32(3), **EXPERT_KEYS}),
    "nemotron_h": Architecture(_hybrid_feed_forward, _no_block, _SSM),
    "nemotron_h_moe": Architecture(_hybrid_feed_forward, _no_block, _SSM | EXPERT_KEYS),
    "starcoder2": Architecture(_attention_bias, _ungated),
    "jais2": Architecture(_attention_bias, _ungated),
}  # fmt: skip
_JOINED = Architecture(_latent_joined, _experts, {k: v for k, v in _LATENT.items() if "mla" not in k})


def _architecture(model: Model) -> Architecture:
    return _JOINED if model.label == "deepseek2, kv_b in one" else ARCHITECTURES[model.architecture]


def shapes_of(model: Model) -> Shapes:
    """Give the tensors of the model's file, outermost dimension first."""
    made, e = _architecture(model), model.n_embd
    shapes: Shapes = {"token_embd.weight": (N_VOCAB, e), "output_norm.weight": (e,), **made.outside(model)}
    if not model.tied:
        shapes["output.weight"] = (N_VOCAB, e)
    for i in range(model.n_layer):
        block = {"attn_norm": (e,), "ffn_norm": (e,), **made.mixer(model, i), **made.feed_forward(model, i)}
        if i >= model.n_layer - model.n_nextn:
            block |= {"nextn.eh_proj": (e, 2 * e), "nextn.enorm": (e,), "nextn.embed_tokens": (N_VOCAB, e)}
        shapes |= {f"blk.{i}.{_full(name)}": shape for name, shape in block.items()}
    return shapes


def _full(name: str) -> str:
    if name.endswith("."):  # a tensor with no suffix
        return name[:-1]
    return name if name.endswith((".bias", ".scale")) else f"{name}.weight"


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file to be."""

    name: str
    shape: Shape


def tensors_of(model: Model) -> list[Tensor]:
    """Give the tensors of the model's file as the check at run time wants them."""
    return [Tensor(name, shape) for name, shape in shapes_of(model).items()]


def kept_of(model: Model) -> list[str]:
    """Give the names of the tensors that the checkpoint stores as MXFP4."""
    return [name for name in shapes_of(model) if "_exps.weight" in name] if model.kept_experts else []


def metadata_of(model: Model) -> dict[str, Value]:
    """Give the metadata without which llama.cpp refuses the header."""
    numbers = {
        "block_count": model.n_layer, "context_length": 4096, "embedding_length": model.n_embd, "vocab_size": N_VOCAB,
        "feed_forward_length": model.n_ff, "attention.head_count": model.n_head, "rope.dimension_count": model.width,
        "attention.key_length": model.width, "attention.value_length": model.width,
    }  # fmt: skip
    if model.n_expert:
        numbers |= {"expert_count": model.n_expert, "expert_used_count": 2, "leading_dense_block_count": model.n_dense}
    if model.n_nextn:
        numbers["nextn_predict_layers"] = model.n_nextn
    values = {key: u32(number) for key, number in numbers.items()} | dict(_architecture(model).keys)
    values["attention.head_count_kv"] = i32s(model.kv_array) if model.kv_array else u32(model.n_head_kv)
    if model.architecture == "gemma4":
        pattern = [i % 6 != 5 for i in range(model.n_layer)]
        values["attention.sliding_window_pattern"] = Value(ValueType.ARRAY, pattern, ValueType.BOOL)
    values |= {f"attention.{key}": f32(1e-5) for key in ("layer_norm_rms_epsilon", "layer_norm_epsilon")}
    prefixed = {f"{model.architecture}.{key}": value for key, value in values.items()}
    return {"general.architecture": text(model.architecture), **prefixed}
