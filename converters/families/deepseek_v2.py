"""DeepSeek-V2: HF DeepseekV2ForCausalLM, GGUF architecture "deepseek2"; the base of all with latent attention (MLA).

Source: HF modeling_deepseek_v2.py; llama.cpp conversion/deepseek.py, src/models/deepseek2.cpp.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Target, size
from converters.families.decoder import EMBEDDINGS, NORMS, block_names
from converters.families.leading_dense import LAYERS, OPTIONAL_NEXTN, ROUTER_BIAS, LeadingDense
from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.rope import full_attention, rope_number
from converters.jsonfile import JsonObject
from converters.layout import Layout
from converters.transforms import IDENTITY, Transform
from converters.values import Value, f32, u32

_QUERY = {"self_attn.q_proj": "attn_q"}
_LATENT_QUERY = {"self_attn.q_a_proj": "attn_q_a", "self_attn.q_a_layernorm": "attn_q_a_norm",
                 "self_attn.q_b_proj": "attn_q_b"}  # fmt: skip
_REST = {"self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa", "self_attn.kv_a_layernorm": "attn_kv_a_norm",
         "self_attn.o_proj": "attn_output"}  # fmt: skip
_K_B, _V_B = "blk.{i}.attn_k_b.weight", "blk.{i}.attn_v_b.weight"
LATENT_ATTENTION: Mapping[str, Target] = {
    **block_names(_QUERY), **block_names(_LATENT_QUERY), **block_names(_REST),
    "model.layers.{i}.self_attn.kv_b_proj.weight": (_K_B, _V_B),
}  # fmt: skip
_LITE_LAYERS, _LITE_BIG = (26, 27), (48, 128256)  # llama.cpp src/models/deepseek2.cpp, is_lite
_LAYER = re.compile(r"model\.layers\.(\d+)\.")


@dataclass(frozen=True)
class DeepseekV2(LeadingDense):
    """A decoder with experts and latent attention: all heads share one latent key and value, and a rotary part."""

    ARCHITECTURE = "deepseek2"
    DEFAULTS: ClassVar[JsonObject] = {
        "kv_lora_rank": 512, "max_position_embeddings": 2048, "n_routed_experts": 64, "n_shared_experts": 2,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "routed_scaling_factor": 1.0, "v_head_dim": 128,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**EMBEDDINGS, **NORMS, **LATENT_ATTENTION, **LAYERS}
    OPTIONAL = frozenset(ROUTER_BIAS) | OPTIONAL_NEXTN
    DROPPED = (*LeadingDense.DROPPED, *OTHER_SENSES, r"mm_projector\..*")
    PREFIXES: ClassVar[Mapping[str, str]] = TEXT_PREFIXES
    TOKENIZERS: ClassVar[tuple[str, ...]] = ("bpe", "tiktoken")
    PRE_TOKENIZERS: ClassVar[tuple[str, ...]] = ("deepseek-v3", "deepseek-llm")
    KEEPS_NEXTN: ClassVar[bool] = False

    q_rank: int = size("q_lora_rank", 0)
    kv_rank: int = size("kv_lora_rank")
    n_nope: int = size("qk_nope_head_dim")
    n_rot: int = size("qk_rope_head_dim")
    v_dim: int = size("v_head_dim")

    @property
    def n_nextn(self) -> int:
        """Layers behind the last, where this architecture keeps them."""
        return super().n_nextn if self.KEEPS_NEXTN else 0

    @property
    def n_head_kv(self) -> int:
        """One: the file's attention has a latent key that all heads share."""
        return 1

    def check(self) -> None:
        """Refuse sizes that cannot be."""
        super().check()
        if not all((self.kv_rank, self.n_nope, self.n_rot, self.v_dim)):
            raise BadCheckpoint("config.json: the sizes of latent attention cannot be zero.")
        if not self.q_rank and (self.n_layer, self.n_vocab) != _LITE_BIG and self.n_layer not in _LITE_LAYERS:
            raise UnsupportedModel(
                f"Queries do not come out of a latent in this model of {self.n_layer} layers, "
                f"which llama.cpp only knows for {' or '.join(map(str, _LITE_LAYERS))}."
            )

    def drops(self, name: str) -> bool:
        """Tell whether a stored tensor is left out on purpose; layers behind the last are where they are not kept."""
        found = _LAYER.match(name)
        return super().drops(name) or (found is not None and not self.KEEPS_NEXTN and int(found[1]) >= self.n_layer)

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor; queries come from a latent, too, or directly."""
        other = _QUERY if self.q_rank else _LATENT_QUERY
        return super().has(theirs, i) and theirs not in block_names(other)

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys, with the widths of the latent as the head's, and of the heads that come out of it."""
        a = self.ARCHITECTURE
        lengths = {
            "kv_lora_rank": self.kv_rank, "key_length": self.kv_rank + self.n_rot, "value_length": self.kv_rank,
            "key_length_mla": self.n_nope + self.n_rot, "value_length_mla": self.v_dim,
        }  # fmt: skip
        if self.q_rank:
            lengths["q_lora_rank"] = self.q_rank
        values = {f"{a}.attention.{key}": u32(length) for key, length in lengths.items()}
        values |= {f"{a}.vocab_size": u32(self.n_vocab), f"{a}.rope.dimension_count": u32(self.n_rot)}
        rope = full_attention(self.rope)
        if rope.get("mscale_all_dim") is not None:  # a tenth of it, unlike elsewhere: deepseek2.cpp multiplies by 10
            values[f"{a}.rope.scaling.yarn_log_multiplier"] = f32(0.1 * rope_number(rope, "mscale_all_dim"))
        return super().metadata() | values

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; k_b is transposed, head by head."""
        heads, q_rows = self.n_head, self.n_head * (self.n_nope + self.n_rot)
        return super().shapes() | {
            "blk.{i}.attn_q.weight": (q_rows, self.n_embd),
            "blk.{i}.attn_q_a.weight": (self.q_rank, self.n_embd),
            "blk.{i}.attn_q_a_norm.weight": (self.q_rank,),
            "blk.{i}.attn_q_b.weight": (q_rows, self.q_rank),
            "blk.{i}.attn_kv_a_mqa.weight": (self.kv_rank + self.n_rot, self.n_embd),
            "blk.{i}.attn_kv_a_norm.weight": (self.kv_rank,),
            _K_B: (heads, self.kv_rank, self.n_nope),
            _V_B: (heads, self.v_dim, self.kv_rank),
            "blk.{i}.attn_output.weight": (self.n_embd, heads * self.v_dim),
        }

    def transform(self, pattern: str) -> Transform:
        """Take keys and values apart, head by head; keys are transposed."""
        transforms = {
            _K_B: Transform(lambda whole: self._heads(whole)[:, : self.n_nope].swapaxes(1, 2)),
            _V_B: Transform(lambda whole: self._heads(whole)[:, self.n_nope :]),
        }
        return transforms.get(pattern, IDENTITY)

    def _heads(self, whole: Layout) -> Layout:
        return whole.reshape(self.n_head, self.n_nope + self.v_dim, whole.shape[-1])
