"""Cohere 2 with experts, as North Mini Code: HF Cohere2MoeForCausalLM, GGUF architecture "cohere2moe".

Source: HF modeling_cohere2_moe.py, configuration_cohere2_moe.py; llama.cpp conversion/command_r.py,
src/models/cohere2moe.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import UnsupportedModel
from converters.families.base import Target, size
from converters.families.cohere import PARALLEL
from converters.families.config import find, whole, words
from converters.families.leading_dense import LAYERS, OPTIONAL_NEXTN, ROUTER_BIAS, LeadingDense
from converters.jsonfile import JsonObject
from converters.values import Value, f32, flag, flags, text, u32

_FULL_EVERY = 4


@dataclass(frozen=True)
class Cohere2Moe(LeadingDense):
    """Cohere 2 whose layers, but for the first, have experts; a shared one counts as much as all chosen together."""

    ARCHITECTURE = "cohere2moe"
    DEFAULTS: ClassVar[JsonObject] = {
        "expert_selection_fn": "softmax", "head_dim": 128, "layer_norm_eps": 1e-5, "logit_scale": 0.0625,
        "max_position_embeddings": 8192, "norm_topk_prob": True, "num_experts": 8, "num_experts_per_tok": 2,
        "num_shared_experts": 0, "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": True,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **PARALLEL, "lm_head.weight": "output.weight",
        **{theirs: ours for theirs, ours in LAYERS.items() if theirs not in ROUTER_BIAS},
    }  # fmt: skip
    OPTIONAL = OPTIONAL_NEXTN
    ZEROS = (r"model\.layers\.\d+\..*\.bias",)
    PRE_TOKENIZERS = ("cohere2moe",)

    logit_scale: float = size("logit_scale")
    n_window: int = size("sliding_window")
    normalizes: bool = size("norm_topk_prob")

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the config with the usual names of sizes: its intermediate_size is that of an expert."""
        width = whole(config, "intermediate_size")
        kinds = config.get("mlp_layer_types")
        is_dense = [kind == "dense" for kind in kinds] if isinstance(kinds, list) else []
        n_dense = [*is_dense, False].index(False) if is_dense else config.get("first_k_dense_replace", 0)
        usual = {
            "moe_intermediate_size": width,
            "intermediate_size": find(config, "prefix_dense_intermediate_size") or width,
            "n_shared_experts": config["num_shared_experts"],
            "first_k_dense_replace": n_dense,
        }
        return super().completed(config | usual, names)

    @property
    def slides(self) -> list[bool]:
        """Which layers see a window."""
        kinds = words(self.config, "layer_types", self.n_layer)
        if kinds is not None:
            return [kind == "sliding_attention" for kind in kinds]
        first = whole(self.config, "prefix_dense_sliding_window_pattern", default=1) or 1
        later = whole(self.config, "sliding_window_pattern", default=_FULL_EVERY) or 1
        return [
            (i + 1) % first != 0 if i < self.n_dense else (i - self.n_dense + 1) % later != 0
            for i in range(self.n_layer)
        ]

    def check(self) -> None:
        """Refuse sizes that cannot be, and what the engine does not do."""
        super().check()
        if "dense" in (self.config.get("mlp_layer_types") or [])[self.n_dense :]:
            raise UnsupportedModel("This model has dense layers behind one with experts, which llama.cpp does not do.")
        if self.n_expert_shared and self.config.get("shared_expert_combination_strategy", "average") != "average":
            raise UnsupportedModel("This model adds up its shared expert and the others; llama.cpp knows the average.")

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; scores of a softmax always add up to one."""
        a = self.ARCHITECTURE
        values = super().metadata() | {
            f"{a}.attention.sliding_window": u32(self.n_window),
            f"{a}.attention.sliding_window_pattern": flags(self.slides),
            f"{a}.expert_weights_norm": flag(self.normalizes or self.config["expert_selection_fn"] == "softmax"),
            f"{a}.logit_scale": f32(self.logit_scale),
            f"{a}.rope.dimension_count": u32(self.head_dim),
            f"{a}.rope.scaling.type": text("none"),
            f"{a}.vocab_size": u32(self.n_vocab),
        }
        if self.n_expert_shared:
            shared = {f"{a}.expert_shared_feed_forward_length": u32(self.n_expert_shared * self.n_ff_expert)}
            return values | shared
        return {key: value for key, value in values.items() if key != f"{a}.expert_shared_count"}
