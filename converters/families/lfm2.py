"""LFM2: HF Lfm2ForCausalLM, GGUF architecture "lfm2".

Source: HF modeling_lfm2.py, configuration_lfm2.py; llama.cpp conversion/lfm2.py, src/models/lfm2.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Family, Target, size
from converters.families.config import find, number, whole, words
from converters.families.decoder import Decoder, block_names
from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.jsonfile import JsonObject
from converters.quant_types import ModelSizes
from converters.transforms import IDENTITY, Transform, squeeze
from converters.values import Value, i32s, u32

_ATTENDS = {"full_attention": True, "conv": False}
_ATTENTION = block_names({"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_output", "self_attn.q_layernorm": "attn_q_norm",
    "self_attn.k_layernorm": "attn_k_norm"})  # fmt: skip
_CONVOLUTION = block_names({f"conv.{part}": f"shortconv.{part}" for part in ("in_proj", "conv", "out_proj")})
FEED_FORWARD = block_names({"feed_forward.w1": "ffn_gate", "feed_forward.w2": "ffn_down", "feed_forward.w3": "ffn_up"})
BACKBONE: Mapping[str, Target] = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.embedding_norm.weight": "token_embd_norm.weight",
    "lm_head.weight": "output.weight",
    **block_names({"operator_norm": "attn_norm", "ffn_norm": "ffn_norm"}),
    **_ATTENTION,
    **_CONVOLUTION,
}


@dataclass(frozen=True)
class Lfm2(Decoder):
    """A decoder most of whose layers mix the last few tokens by a gated convolution in place of attention."""

    ARCHITECTURE = "lfm2"
    DEFAULTS: ClassVar[JsonObject] = {
        "block_auto_adjust_ff_dim": True, "block_ffn_dim_multiplier": 1.0, "block_multiple_of": 256,
        "conv_L_cache": 3, "intermediate_size": 12288, "max_position_embeddings": 128000, "norm_eps": 1e-5,
        "num_key_value_heads": 8, "rope_theta": 1000000.0, "tie_word_embeddings": True,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**BACKBONE, **FEED_FORWARD}
    DROPPED = (*Family.DROPPED, *OTHER_SENSES)
    PREFIXES = TEXT_PREFIXES
    PRE_TOKENIZERS = ("lfm2",)

    n_kernel: int = size("conv_L_cache")

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the config with older names of keys made new, and with the real width of the feed-forward."""
        tied = config.get("tie_embedding", config["tie_word_embeddings"])
        return cls._with_width(config | {"tie_word_embeddings": tied, "layer_types": _layer_types(config)})

    @classmethod
    def _with_width(cls, config: JsonObject) -> JsonObject:
        width = whole(config, "block_ff_dim", "intermediate_size")
        if config["block_auto_adjust_ff_dim"]:
            wide = int(min(number(config, "block_ffn_dim_multiplier") * int(2 * width / 3), 1 << 31))
            multiple = whole(config, "block_multiple_of") or 1
            width = -(-wide // multiple) * multiple
        return config | {"intermediate_size": width}

    @property
    def attention_layers(self) -> list[bool]:
        """Which layers are attention."""
        kinds = words(self.config, "layer_types", self.n_layer) or []
        for kind in kinds:
            if kind not in _ATTENDS:
                raise BadCheckpoint(f"config.json: a layer is of kind {kind[:80]!r}, which is not known.")
        return [_ATTENDS[kind] for kind in kinds]

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor: one of attention, of convolution, or of all layers."""
        attends = self.attention_layers[i]
        return attends if theirs in _ATTENTION else not attends if theirs in _CONVOLUTION else True

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; layers without key-value heads are the convolutions."""
        a = self.ARCHITECTURE
        return super().metadata() | {
            f"{a}.attention.head_count_kv": i32s([self.n_head_kv * attends for attends in self.attention_layers]),
            f"{a}.shortconv.l_cache": u32(self.n_kernel),
            f"{a}.vocab_size": u32(self.n_vocab),
        }

    def model_sizes(self) -> ModelSizes:
        """Give the sizes that the type chooser looks at; a convolution has no key-value heads."""
        return replace(super().model_sizes(), n_head_kv=self.n_head_kv * self.attention_layers[0])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        return super().shapes() | {
            "token_embd_norm.weight": (self.n_embd,),
            "blk.{i}.attn_q_norm.weight": (self.head_dim,),
            "blk.{i}.attn_k_norm.weight": (self.head_dim,),
            "blk.{i}.shortconv.in_proj.weight": (3 * self.n_embd, self.n_embd),
            "blk.{i}.shortconv.conv.weight": (self.n_embd, self.n_kernel),
            "blk.{i}.shortconv.out_proj.weight": (self.n_embd, self.n_embd),
        }

    def transform(self, pattern: str) -> Transform:
        """Leave out the kernel's axis of one; the rest is as stored."""
        return squeeze(1) if pattern == "blk.{i}.shortconv.conv.weight" else IDENTITY


def _layer_types(config: JsonObject) -> object:
    n_layer = whole(config, "num_hidden_layers")
    attending = find(config, "full_attn_idxs")
    attending = range(n_layer) if attending is None else attending
    if config.get("layer_types") is not None:
        return config["layer_types"]
    if not isinstance(attending, list | range):
        raise BadCheckpoint(f"config.json: full_attn_idxs is {str(attending)[:80]!r}, not a list of layers.")
    return ["full_attention" if i in attending else "conv" for i in range(n_layer)]
