"""Nemotron-H: HF NemotronHForCausalLM, GGUF architecture "nemotron_h", or "nemotron_h_moe" (nemotron_h_moe.py).

Source: HF modeling_nemotron_h.py, configuration_nemotron_h.py; llama.cpp conversion/nemotron.py,
src/models/nemotron-h.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Family, Target, size
from converters.families.config import find
from converters.families.decoder import Decoder, block_names
from converters.families.mamba2 import Mamba2Sizes, mixer_names
from converters.jsonfile import JsonObject
from converters.quant_types import ModelSizes
from converters.transforms import IDENTITY, Transform, rope_pairs
from converters.values import Value, flag, i32s, u32

MAMBA, ATTENTION, DENSE, EXPERTS = "M", "*", "-", "E"
_KINDS = {"linear_attention": MAMBA, "mamba": MAMBA, "full_attention": ATTENTION, "attention": ATTENTION, "mlp": DENSE,
          "moe": EXPERTS} | {letter: letter for letter in (MAMBA, ATTENTION, DENSE, EXPERTS)}  # fmt: skip
_ATTENTION_PARTS = {f"mixer.{part}_proj": f"attn_{ours}"
                    for part, ours in {"q": "q", "k": "k", "v": "v", "o": "output"}.items()}  # fmt: skip
_DENSE_PARTS = {"mixer.up_proj": "ffn_up", "mixer.down_proj": "ffn_down"}
_BIASES = block_names(_ATTENTION_PARTS | _DENSE_PARTS, "bias")
_MIXERS: Mapping[str, Mapping[str, str]] = {
    MAMBA: mixer_names("model.layers.{i}.mixer"),
    ATTENTION: block_names(_ATTENTION_PARTS) | block_names(_ATTENTION_PARTS, "bias"),
    DENSE: block_names(_DENSE_PARTS) | block_names(_DENSE_PARTS, "bias"),
}
_ENDLESS_CONTEXT = 1 << 20  # what llama.cpp's converter states for models without positions


def layer_kinds(config: JsonObject) -> list[str]:
    """Give the kind of each layer, as a letter; raises BadCheckpoint for one that is not known."""
    stated = find(config, "layers_block_type", "layer_types", "hybrid_override_pattern")
    if not isinstance(stated, str | list) or not stated:
        raise BadCheckpoint("config.json does not say of what kind each layer is (hybrid_override_pattern).")
    for kind in stated:
        if not isinstance(kind, str) or kind not in _KINDS:
            raise BadCheckpoint(f"config.json: a layer is of kind {str(kind)[:80]!r}, which is not known.")
    return [_KINDS[kind] for kind in stated]


@dataclass(frozen=True)
class NemotronH(Decoder):
    """Layers of one part each: Mamba 2, attention without positions, or an ungated feed-forward."""

    ARCHITECTURE = "nemotron_h"
    DEFAULTS: ClassVar[JsonObject] = {
        "conv_kernel": 4, "hidden_size": 4096, "intermediate_size": 21504, "layer_norm_epsilon": 1e-5,
        "mamba_head_dim": 64, "mamba_num_heads": 128, "n_groups": 8, "num_attention_heads": 32,
        "num_key_value_heads": 8, "ssm_state_size": 128, "tie_word_embeddings": False, "vocab_size": 131072,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        "model.embeddings.weight": "token_embd.weight",
        "model.norm_f.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
        **block_names({"norm": "attn_norm"}),
        **{theirs: ours for names in _MIXERS.values() for theirs, ours in names.items()},
    }
    OPTIONAL = frozenset(_BIASES) | {"model.layers.{i}.mixer.conv1d.bias"}
    DROPPED = (*Family.DROPPED, r"mtp\..*")
    PREFIXES: ClassVar[Mapping[str, str]] = {"backbone.": "model."}
    EMBEDDING = "model.embeddings.weight"
    TOKENIZERS = ("bpe",)
    MIXERS: ClassVar[Mapping[str, Mapping[str, Target]]] = _MIXERS

    n_ssm_head: int = size("mamba_num_heads")
    ssm_head_dim: int = size("mamba_head_dim")
    n_ssm_group: int = size("n_groups")
    d_state: int = size("ssm_state_size")
    d_conv: int = size("conv_kernel")

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the config with older names of keys made new, and without experts where no layer has them."""
        kinds = layer_kinds(config)
        older = {"n_groups": "mamba_n_groups", "conv_kernel": "mamba_d_conv", "head_dim": "attention_head_dim"}
        found = {new: find(config, old, new) for new, old in older.items()}
        known = config | found | {"head_dim": find(config, "head_dim", "attention_head_dim") or 128}
        known |= {"num_hidden_layers": len(kinds), "layers_block_type": kinds}
        experts = () if EXPERTS in kinds else ("n_routed_experts", "num_experts_per_tok", "n_group", "topk_group")
        return {key: value for key, value in known.items() if key not in experts}

    @property
    def kinds(self) -> list[str]:
        """The parts of each block, as letters; one for a layer."""
        return layer_kinds(self.config)

    @property
    def mamba(self) -> Mamba2Sizes:
        """Sizes of a Mamba 2 layer."""
        d_inner = self.n_ssm_head * self.ssm_head_dim
        return Mamba2Sizes(self.n_embd, d_inner, self.n_ssm_head, self.n_ssm_group, self.d_state, self.d_conv)

    def check(self) -> None:
        """Refuse sizes that cannot be, and what the engine does not do."""
        super().check()
        self.mamba.check()
        if DENSE in self.kinds and EXPERTS in self.kinds:
            raise UnsupportedModel("This Nemotron-H model has feed-forwards with experts and without.")
        for key, usual in {"mlp_hidden_act": "relu2", "mamba_hidden_act": "silu"}.items():
            if self.config.get(key, usual) != usual:
                raise UnsupportedModel(f"config.json: {key} is {self.config[key]!r}; llama.cpp knows {usual}.")

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor: one of a part that it has, or of all blocks."""
        owners = [kind for kind, names in self.MIXERS.items() if theirs in names]
        return i < self.n_block and (not owners or any(kind in self.kinds[i] for kind in owners))

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; arrays say what each block is."""
        a = self.ARCHITECTURE
        return {
            **super().metadata(),
            **self.mamba.metadata(a),
            f"{a}.attention.head_count_kv": i32s([self.n_head_kv * (ATTENTION in kind) for kind in self.kinds]),
            f"{a}.context_length": u32(_ENDLESS_CONTEXT),
            f"{a}.feed_forward_length": i32s([self.n_ff * (DENSE in kind) for kind in self.kinds]),
            f"{a}.rope.dimension_count": u32(self.n_embd // self.n_head),
            f"{a}.rope.scaling.finetuned": flag(False),  # how llama.cpp tells that there are no positions
            f"{a}.vocab_size": u32(self.n_vocab),
        }

    def model_sizes(self) -> ModelSizes:
        """Give the sizes that the type chooser looks at; only attention has key-value heads."""
        return replace(super().model_sizes(), n_head_kv=self.n_head_kv * (ATTENTION in self.kinds[0]))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        return super().shapes() | self.mamba.shapes()

    def transform(self, pattern: str) -> Transform:
        """Give how a tensor comes out of the stored one; heads are reordered, alike, only to be as in other files."""
        if pattern.startswith(("blk.{i}.attn_q.", "blk.{i}.attn_k.")):
            return rope_pairs(self.head_dim)
        return self.mamba.transform(pattern) if ".ssm_" in pattern else IDENTITY
