"""Nemotron-H with experts, as Nemotron 3 Nano and Super: HF NemotronHForCausalLM, GGUF architecture "nemotron_h_moe".

Source: HF modeling_nemotron_h.py; llama.cpp conversion/nemotron.py, src/models/nemotron-h.cpp, nemotron-h-moe.cpp.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Family, Target, size
from converters.families.decoder import block_names
from converters.families.nemotron_h import ATTENTION, EXPERTS, NemotronH, layer_kinds
from converters.jsonfile import JsonObject
from converters.quant_types import ModelSizes
from converters.values import Value, f32, flag, i32s, u32

_NEXTN_KEY = "num_nextn_predict_layers"
_PREDICTING = "N"
_LATENT = block_names({"mixer.fc1_latent_proj": "ffn_latent_down", "mixer.fc2_latent_proj": "ffn_latent_up"})
_EXPERTS: Mapping[str, str] = {
    **block_names({"mixer.gate": "ffn_gate_inp"}),
    "model.layers.{i}.mixer.gate.e_score_correction_bias": "blk.{i}.exp_probs_b.bias",
    **block_names({f"mixer.shared_experts.{part}_proj": f"ffn_{part}_shexp" for part in ("up", "down")}),
    **block_names({f"mixer.experts.{{e}}.{part}_proj": f"ffn_{part}_exps" for part in ("up", "down")}),
    **_LATENT,
}
_NEXTN = block_names({"enorm": "nextn.enorm", "hnorm": "nextn.hnorm", "eh_proj": "nextn.eh_proj",
    "shared_head.norm": "nextn.shared_head_norm", "post_attention_layernorm": "post_attention_norm"})  # fmt: skip
_MIXERS = {**NemotronH.MIXERS, EXPERTS: _EXPERTS, _PREDICTING: _NEXTN}
_STORED_NEXTN = {"1.norm": "post_attention_layernorm", "1.final_layernorm": "shared_head.norm"}
_MTP = re.compile(r"mtp\.layers\.(\d\.(.*))\.([^.]+)")


@dataclass(frozen=True)
class NemotronHMoe(NemotronH):
    """Nemotron-H whose feed-forwards are experts, maybe in a smaller space; and maybe a block that predicts a token
    further, whose attention and experts the checkpoint holds as two layers."""

    ARCHITECTURE = "nemotron_h_moe"
    DEFAULTS: ClassVar[JsonObject] = NemotronH.DEFAULTS | {
        "moe_intermediate_size": 7688, "moe_shared_expert_intermediate_size": 7688, "n_group": 1,
        "n_routed_experts": 8, "n_shared_experts": 1, "norm_topk_prob": True, "num_experts_per_tok": 2,
        "routed_scaling_factor": 1.0, "topk_group": 1,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**NemotronH.TENSORS, **_EXPERTS, **_NEXTN}
    MIXERS: ClassVar[Mapping[str, Mapping[str, Target]]] = _MIXERS

    n_expert_used: int = size("num_experts_per_tok")
    n_ff_expert: int = size("moe_intermediate_size")
    n_ff_shared: int = size("moe_shared_expert_intermediate_size")
    n_shared: int = size("n_shared_experts")
    normalizes: bool = size("norm_topk_prob")
    scale: float = size("routed_scaling_factor")
    n_latent: int = size("moe_latent_size", 0)
    n_nextn: int = size(_NEXTN_KEY, 0)

    @classmethod
    def variant(cls, config: JsonObject) -> type[Family]:
        """Give this class, or NemotronH for a model without experts."""
        return cls if EXPERTS in layer_kinds(config) else NemotronH

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the config with the predicting block only where the checkpoint holds one that the engine knows."""
        is_held = config.get(_NEXTN_KEY) == 1 and any(name.startswith("mtp.") for name in names)
        return super().completed(config, names) | {_NEXTN_KEY: int(is_held)}

    def canonical(self, name: str) -> str:
        """Give a stored tensor's name as the tables have it; the predicting block is the one behind the layers."""
        match = _MTP.fullmatch(name) if self.n_nextn else None
        if match is None:
            return super().canonical(name)
        inner = _STORED_NEXTN.get(match[1], match[2])
        return f"model.layers.{self.n_layer}.{inner}.{match[3]}"

    @property
    def n_block(self) -> int:
        """The layers and the predicting block."""
        return self.n_layer + self.n_nextn

    @property
    def kinds(self) -> list[str]:
        """The parts of each block, as letters; the predicting one has several."""
        return super().kinds + [ATTENTION + EXPERTS + _PREDICTING] * self.n_nextn

    def check(self) -> None:
        """Refuse expert counts that cannot be."""
        super().check()
        if not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor; latent projections are of models with a latent space."""
        return super().has(theirs, i) and (self.n_latent > 0 or theirs not in _LATENT)

    def metadata(self) -> dict[str, Value]:
        """Give the keys of Nemotron-H, and those of experts."""
        values = {
            "expert_feed_forward_length": u32(self.n_ff_expert),
            "expert_shared_count": u32(self.n_shared),
            "expert_shared_feed_forward_length": u32(self.n_ff_shared),
            "expert_weights_norm": flag(self.normalizes),
            "expert_weights_scale": f32(self.scale),
            "feed_forward_length": i32s([self.n_ff_expert * (EXPERTS in kind) for kind in self.kinds]),
        }
        if self.n_latent:
            values["moe_latent_size"] = u32(self.n_latent)
        if self.n_nextn:
            values["nextn_predict_layers"] = u32(self.n_nextn)
        return super().metadata() | {f"{self.ARCHITECTURE}.{key}": value for key, value in values.items()}

    def model_sizes(self) -> ModelSizes:
        """Give the sizes that the type chooser looks at."""
        return replace(super().model_sizes(), n_layer_nextn=self.n_nextn)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        width = self.n_latent or self.n_embd
        return super().shapes() | {
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.exp_probs_b.bias": (self.n_expert,),
            "blk.{i}.ffn_up_exps.weight": (self.n_expert, self.n_ff_expert, width),
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, width, self.n_ff_expert),
            "blk.{i}.ffn_up_shexp.weight": (self.n_ff_shared, self.n_embd),
            "blk.{i}.ffn_down_shexp.weight": (self.n_embd, self.n_ff_shared),
            "blk.{i}.ffn_latent_down.weight": (self.n_latent, self.n_embd),
            "blk.{i}.ffn_latent_up.weight": (self.n_embd, self.n_latent),
            "blk.{i}.nextn.eh_proj.weight": (self.n_embd, 2 * self.n_embd),
        }
