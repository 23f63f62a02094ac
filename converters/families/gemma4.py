"""Gemma 4: HF Gemma4ForCausalLM and the text part of Gemma4ForConditionalGeneration, GGUF architecture "gemma4".

Source: HF modeling_gemma4.py, configuration_gemma4.py; llama.cpp conversion/gemma.py, src/models/gemma4.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Target, size
from converters.families.config import slides, whole
from converters.families.decoder import block_names
from converters.families.gemma3 import Gemma3
from converters.families.rope import full_attention, rope_number
from converters.jsonfile import JsonObject
from converters.transforms import IDENTITY, Array, Transform
from converters.values import Value, flags, i32s, u32

PER_LAYER_INPUTS = {
    "model.embed_tokens_per_layer.weight": "per_layer_token_embd.weight",
    "model.per_layer_model_projection.weight": "per_layer_model_proj.weight",
    "model.per_layer_projection_norm.weight": "per_layer_proj_norm.weight",
    **block_names({"per_layer_input_gate": "inp_gate", "per_layer_projection": "proj",
                   "post_per_layer_input_norm": "post_norm"}),
}  # fmt: skip
_EXPERTS = {
    **block_names({"pre_feedforward_layernorm_2": "pre_ffw_norm_2", "post_feedforward_layernorm_1": "post_ffw_norm_1",
                   "post_feedforward_layernorm_2": "post_ffw_norm_2", "router.proj": "ffn_gate_inp"}),
    "model.layers.{i}.router.scale": "blk.{i}.ffn_gate_inp.scale",
    "model.layers.{i}.router.per_expert_scale": "blk.{i}.ffn_down_exps.scale",
    "model.layers.{i}.experts.gate_up_proj": "blk.{i}.ffn_gate_up_exps.weight",
    "model.layers.{i}.experts.down_proj": "blk.{i}.ffn_down_exps.weight",
}  # fmt: skip
_KEYS_VALUES = ("self_attn.k_proj.", "self_attn.v_proj.", "self_attn.k_norm.")
_DIFFERING = (
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "attn_q_norm",
    "attn_k_norm",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
)  # fmt: skip  (in their widths, from layer to layer)
_UNROTATED = 1e30  # what frequencies are divided by, so that nothing of them is left
_WIDEST_HEAD = 1 << 16
_PERIOD = 6
_N_KV_LAYERS = "stored_kv_layers"


@dataclass(frozen=True)
class Gemma4(Gemma3):
    """Gemma 3 with wider heads where layers see everything, and as it may be with experts, inputs for every layer, and
    last layers that use the keys and values of earlier ones. Its norms store their weights plainly."""

    ARCHITECTURE = "gemma4"
    DEFAULTS: ClassVar[JsonObject] = {
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "global_head_dim": 512,
        "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "sliding_window": 512, "tie_word_embeddings": True,
        "vocab_size": 262144, "hidden_size_per_layer_input": 256, "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1e6}},
    }  # fmt: skip
    VOCAB_ROWS = Gemma3.VOCAB_ROWS | {"per_layer_token_embd.weight"}
    TOKENIZERS = ("gemma4",)

    n_embd_per_layer: int = size("hidden_size_per_layer_input")
    n_shared_kv: int = size("num_kv_shared_layers", 0)
    has_experts: bool = size("enable_moe_block", False)
    n_ff_expert: int = size("moe_intermediate_size", 0)
    is_double_wide: bool = size("use_double_wide_mlp", False)
    keys_are_values: bool = size("attention_k_eq_v", False)
    n_kv_layer: int = size(_N_KV_LAYERS)

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Count the layers whose keys are stored (those that use earlier ones' may have some of their own, unused), and
        leave out inputs for every layer where there are none: config.json may say null."""
        n_stored = sum(name.endswith(".self_attn.k_proj.weight") and "_tower." not in name for name in names)
        plain = {} if any("per_layer_" in name for name in names) else {"hidden_size_per_layer_input": 0}
        return config | plain | {_N_KV_LAYERS: n_stored}

    def check(self) -> None:
        """Refuse what llama.cpp's Gemma 4 does not do."""
        super(Gemma3, self).check()  # not Gemma 3's own: it takes no use_bidirectional_attention of any kind
        if self.config.get("use_bidirectional_attention") == "all":
            raise UnsupportedModel("This Gemma 4 sees what follows too, which llama.cpp's gemma4 does not.")
        if full_attention(self.rope).get("rope_type") != "proportional":
            raise UnsupportedModel("This Gemma 4's rotary settings of full_attention are not of type proportional.")
        if self.n_kv_layer not in (self.n_layer, self.n_layer - self.n_shared_kv):
            raise BadCheckpoint(
                f"The checkpoint has the keys of {self.n_kv_layer} layers; {self.n_layer - self.n_shared_kv} of "
                f"{self.n_layer} need them.", hint="A shard is missing: download the model again.",
            )  # fmt: skip

    @property
    def sliding(self) -> list[bool]:
        """Whether each layer sees no more than the window; the last one always sees everything."""
        return [*slides(self.config, self.n_layer, _PERIOD)[:-1], False]

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the names of the parts that this model has."""
        scalars = {"model.layers.{i}.layer_scalar": "blk.{i}.layer_output_scale.weight"}
        inputs = PER_LAYER_INPUTS if self.n_embd_per_layer else {}
        return {**self.TENSORS, **scalars, **inputs, **(_EXPERTS if self.has_experts else {})}

    def has(self, theirs: str, i: int) -> bool:
        """Tell which layers have keys and values; where keys are values too, the latter are not stored."""
        if ".v_proj." in theirs and self.keys_are_values and not self.sliding[i]:
            return False
        return i < self.n_kv_layer or not any(part in theirs for part in _KEYS_VALUES)

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; lengths are those of layers that see everything, _swa of the others."""
        a, wide, narrow = self.ARCHITECTURE, self._of_full_layers("head_dim"), self.head_dim
        values = super().metadata() | {
            f"{a}.attention.sliding_window": u32(self.n_window),
            f"{a}.attention.sliding_window_pattern": flags(self.sliding),
            f"{a}.attention.shared_kv_layers": u32(self.n_shared_kv),
            f"{a}.attention.key_length": u32(wide),
            f"{a}.attention.value_length": u32(wide),
            f"{a}.attention.key_length_swa": u32(narrow),
            f"{a}.attention.value_length_swa": u32(narrow),
            f"{a}.rope.dimension_count": u32(wide),
            f"{a}.rope.dimension_count_swa": u32(narrow),
            f"{a}.embedding_length_per_layer_input": u32(self.n_embd_per_layer),
        }
        if self.n_ff_expert:
            values[f"{a}.expert_feed_forward_length"] = u32(self.n_ff_expert)
        if self.is_double_wide:
            first = self.n_layer - self.n_shared_kv
            widths = [self.n_ff if i < first else 2 * self.n_ff for i in range(self.n_layer)]
            values[f"{a}.feed_forward_length"] = i32s(widths)
        if n_head_kv := self._of_full_layers("num_key_value_heads"):
            counts = [self.n_head_kv if sliding else n_head_kv for sliding in self.sliding]
            values[f"{a}.attention.head_count_kv"] = i32s(counts)
        return values

    def _of_full_layers(self, key: str) -> int:
        """Give the size that layers have which see everything, or 0 if it is no other; older configs state it once."""
        stated = self.config.get("per_layer_config")
        layers: Mapping[str, Any] = stated if isinstance(stated, dict) else {}
        for i in (i for i, slides_only in enumerate(self.sliding) if not slides_only):
            own = layers.get(str(i))
            if isinstance(own, dict) and key in own:
                return whole(own, key)
        if key == "head_dim":
            width = whole(self.config, "global_head_dim")
            if width > _WIDEST_HEAD:
                raise BadCheckpoint(f"config.json claims heads of {width:,} values: global_head_dim.")
            return width
        return whole(self.config, "num_global_key_value_heads", default=0) if self.keys_are_values else 0

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Nothing that the tokenizer does not say itself."""
        return {}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of the weights that are alike in every layer."""
        differing = {f"blk.{{i}}.{name}.weight" for name in _DIFFERING}
        rows = self.n_expert, self.n_embd, self.n_ff_expert
        return {name: shape for name, shape in super().shapes().items() if name not in differing} | {
            "blk.{i}.ffn_gate_inp.weight": (rows[0], rows[1]),
            "blk.{i}.ffn_gate_up_exps.weight": (rows[0], 2 * rows[2], rows[1]),
            "blk.{i}.ffn_down_exps.weight": rows,
            "blk.{i}.inp_gate.weight": (self.n_embd_per_layer, self.n_embd),
            "blk.{i}.proj.weight": (self.n_embd, self.n_embd_per_layer),
        }

    def transform(self, pattern: str) -> Transform:
        """Leave everything as it is."""
        return IDENTITY

    def computed(self) -> dict[str, Array]:
        """Give what the rotary frequencies of layers that see everything are divided by: the last are not used."""
        n_pairs = self._of_full_layers("head_dim") // 2
        n_rotary = int(2 * n_pairs * rope_number(full_attention(self.rope), "partial_rotary_factor") / 2)
        return {"rope_freqs.weight": np.where(np.arange(n_pairs) < n_rotary, 1.0, _UNROTATED).astype(np.float32)}
