"""What expert models after DeepSeek's pattern have in common, and the names of their layers.

The first layers are dense; the others have a router, perhaps with a bias for choosing, experts, and a shared expert.
A layer behind the last may predict a further token (NextN, MTP). Source: HF modeling_deepseek_v3.py,
modeling_glm4_moe.py; llama.cpp conversion/deepseek.py, conversion/glm.py.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Target, size
from converters.families.config import find, number
from converters.families.decoder import EXPERTS, FEED_FORWARD, Decoder, block_names
from converters.jsonfile import JsonObject
from converters.quant_types import ModelSizes
from converters.values import Value, f32, flag, u32

_NEXTN_KEYS = ("num_nextn_predict_layers", "num_mtp_layers")
_LAYER = re.compile(r"(?:.*\.)?layers\.(\d+)\.")
ROUTER_BIAS = {"model.layers.{i}.mlp.gate.e_score_correction_bias": "blk.{i}.exp_probs_b.bias"}
SHARED_EXPERTS = block_names(
    {f"mlp.shared_experts.{part}_proj": f"ffn_{part}_shexp" for part in ("gate", "up", "down")}
)
NEXTN = block_names({"eh_proj": "nextn.eh_proj", "enorm": "nextn.enorm", "hnorm": "nextn.hnorm",
                     "embed_tokens": "nextn.embed_tokens", "shared_head.head": "nextn.shared_head_head",
                     "shared_head.norm": "nextn.shared_head_norm"})  # fmt: skip
LAYERS: Mapping[str, Target] = {**FEED_FORWARD, **EXPERTS, **ROUTER_BIAS, **SHARED_EXPERTS, **NEXTN}
OPTIONAL_NEXTN = frozenset(name for name in NEXTN if "embed_tokens" in name or "shared_head" in name)


@dataclass(frozen=True)
class LeadingDense(Decoder):
    """A decoder with experts in all but the first layers, and perhaps layers that predict further tokens."""

    n_expert_used: int = size("num_experts_per_tok", 0)
    n_expert_shared: int = size("n_shared_experts", 0)
    n_ff_expert: int = size("moe_intermediate_size", 0)
    stated_dense: int = size("first_k_dense_replace", 0)

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Count the layers that predict further tokens by those stored: checkpoints that were saved anew lack them."""
        numbers = [int(found[1]) for name in names if (found := _LAYER.match(name))]
        layers = config.get("num_hidden_layers")
        behind = max(numbers, default=0) + 1 - layers if type(layers) is int else 0
        stated = find(config, *_NEXTN_KEYS)
        return {**config, _NEXTN_KEYS[0]: stated if behind > 0 else 0}

    @property
    def n_nextn(self) -> int:
        """Layers behind the last that predict further tokens and are kept."""
        count = self.config.get(_NEXTN_KEYS[0])
        return count if type(count) is int else 0

    @property
    def n_block(self) -> int:
        """Layers, and those that predict further tokens."""
        return self.n_layer + self.n_nextn

    @property
    def n_dense(self) -> int:
        """Layers before the first with experts."""
        return self.stated_dense if self.n_expert else self.n_layer

    def check(self) -> None:
        """Refuse head counts and expert counts that cannot be, and experts in some of the later layers alone."""
        super().check()
        if self.n_expert and not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")
        if self.n_dense > self.n_layer:
            raise BadCheckpoint(f"config.json: {self.n_dense} of {self.n_layer} layers cannot be dense.")
        if self.config.get("moe_layer_freq", 1) != 1:
            raise UnsupportedModel("Only some of the later layers have experts, which llama.cpp does not do.")

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor: one of dense layers, of experts, of further tokens, or of all."""
        if i >= self.n_block or theirs in NEXTN:
            return self.n_layer <= i < self.n_block
        if theirs in FEED_FORWARD:
            return i < self.n_dense
        if theirs in SHARED_EXPERTS and not self.n_expert_shared:
            return False
        return i >= self.n_dense or ".mlp." not in theirs

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys, and those of experts and of layers that predict further tokens."""
        values = {
            "leading_dense_block_count": u32(self.n_dense),
            "expert_feed_forward_length": u32(self.n_ff_expert or self.n_ff),
            "expert_shared_count": u32(self.n_expert_shared),
        }
        if self.config.get("routed_scaling_factor") is not None:
            values["expert_weights_scale"] = f32(number(self.config, "routed_scaling_factor"))
        if self.config.get("norm_topk_prob") is True:
            values["expert_weights_norm"] = flag(True)
        if self.n_nextn:
            values["nextn_predict_layers"] = u32(self.n_nextn)
        return super().metadata() | {f"{self.ARCHITECTURE}.{key}": value for key, value in values.items()}

    def model_sizes(self) -> ModelSizes:
        """Give the sizes that the type chooser looks at."""
        return replace(super().model_sizes(), n_layer_nextn=self.n_nextn)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of the usual weights; experts are stacked, shared ones one after the other."""
        n_ff_shared = self.n_expert_shared * self.n_ff_expert
        return super().shapes() | {
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.exp_probs_b.bias": (self.n_expert,),
            "blk.{i}.ffn_gate_exps.weight": (self.n_expert, self.n_ff_expert, self.n_embd),
            "blk.{i}.ffn_up_exps.weight": (self.n_expert, self.n_ff_expert, self.n_embd),
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, self.n_embd, self.n_ff_expert),
            "blk.{i}.ffn_gate_shexp.weight": (n_ff_shared, self.n_embd),
            "blk.{i}.ffn_up_shexp.weight": (n_ff_shared, self.n_embd),
            "blk.{i}.ffn_down_shexp.weight": (self.n_embd, n_ff_shared),
            "blk.{i}.nextn.eh_proj.weight": (self.n_embd, 2 * self.n_embd),
            "blk.{i}.nextn.enorm.weight": (self.n_embd,),
            "blk.{i}.nextn.hnorm.weight": (self.n_embd,),
            "blk.{i}.nextn.embed_tokens.weight": (self.n_vocab, self.n_embd),
            "blk.{i}.nextn.shared_head_head.weight": (self.n_vocab, self.n_embd),
            "blk.{i}.nextn.shared_head_norm.weight": (self.n_embd,),
        }
