"""Gemma 3n: HF Gemma3nForCausalLM and the text part of Gemma3nForConditionalGeneration, GGUF architecture "gemma3n".

Source: HF modeling_gemma3n.py, configuration_gemma3n.py; llama.cpp conversion/gemma.py, src/models/gemma3n.cpp.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Target, size
from converters.families.config import number, slides
from converters.families.decoder import block_names
from converters.families.gemma3 import Gemma3
from converters.families.gemma4 import PER_LAYER_INPUTS
from converters.jsonfile import JsonObject
from converters.transforms import IDENTITY, Transform
from converters.values import Value, f32s, flags, i32s, u32

# what llama.cpp's gemma3n takes for granted
_FIXED = {"altup_num_inputs": 4, "altup_active_idx": 0, "laurel_rank": 64, "hidden_size_per_layer_input": 256}
_N_KV_LAYERS = 20
_PERIOD = 5
_N_SPARSE, _SPARSITY = 10, 0.95  # where config.json states none


@dataclass(frozen=True)
class Gemma3n(Gemma3):
    """Gemma 3 with four streams that take turns (AltUp), low-rank detours (LAuReL), inputs for every layer, and last
    layers that use the keys and values of earlier ones. Its norms store their weights plainly."""

    ARCHITECTURE = "gemma3n"
    DEFAULTS: ClassVar[JsonObject] = Gemma3.DEFAULTS | _FIXED | {
        "num_key_value_heads": 2, "max_position_embeddings": 32768, "sliding_window": 512, "vocab_size": 262400,
        "intermediate_size": 16384, "num_kv_shared_layers": 15, "final_logit_softcapping": 30.0,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **Gemma3.TENSORS, **PER_LAYER_INPUTS,
        "model.altup_projections.{e}.weight": "altup_proj.weight",
        "model.altup_unembed_projections.{e}.weight": "altup_unembd_proj.weight",
        "model.layers.{i}.altup.correct_output_scale": "blk.{i}.altup_correct_scale.weight",
        **block_names({
            "altup.correction_coefs": "altup_correct_coef", "altup.prediction_coefs": "altup_predict_coef",
            "altup.modality_router": "altup_router", "altup.router_norm": "altup_router_norm",
            "laurel.linear_left": "laurel_l", "laurel.linear_right": "laurel_r",
            "laurel.post_laurel_norm": "laurel_post_norm"}),
    }  # fmt: skip
    VOCAB_ROWS = Gemma3.VOCAB_ROWS | {"per_layer_token_embd.weight"}

    n_altup: int = size("altup_num_inputs")
    active_altup: int = size("altup_active_idx")
    n_embd_per_layer: int = size("hidden_size_per_layer_input")
    n_shared_kv: int = size("num_kv_shared_layers")

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the one width of the feed-forward, which configs state for every layer."""
        widths = config["intermediate_size"]
        if not isinstance(widths, list):
            return config
        if len(set(map(str, widths))) != 1:
            raise UnsupportedModel(
                "The layers of this Gemma 3n differ in width, which llama.cpp's gemma3n does not do."
            )
        return config | {"intermediate_size": widths[0]}

    def check(self) -> None:
        """Refuse what llama.cpp's Gemma 3n does not do."""
        super().check()
        for key, value in _FIXED.items():
            if self.config[key] != value:
                raise UnsupportedModel(
                    f"config.json: {key} is {str(self.config[key])[:80]}; llama.cpp's gemma3n is made for {value}."
                )
        if self.n_layer - self.n_shared_kv != min(self.n_layer, _N_KV_LAYERS):
            raise UnsupportedModel(
                f"Of {self.n_layer} layers the last {self.n_shared_kv} use keys and values of earlier ones; "
                f"llama.cpp's gemma3n lets all behind the first {_N_KV_LAYERS} do so."
            )

    def count(self, theirs: str) -> int:
        """Give how many streams there are beside the one that takes its turn."""
        return self.n_altup - 1

    @property
    def sliding(self) -> list[bool]:
        """Whether each layer sees no more than the window."""
        return slides(self.config, self.n_layer, _PERIOD)

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture."""
        return super().metadata() | {
            "gemma3n.altup.active_idx": u32(self.active_altup),
            "gemma3n.altup.num_inputs": u32(self.n_altup),
            "gemma3n.embedding_length_per_layer_input": u32(self.n_embd_per_layer),
            "gemma3n.attention.shared_kv_layers": u32(self.n_shared_kv),
            "gemma3n.attention.sliding_window": u32(self.n_window),
            "gemma3n.attention.sliding_window_pattern": flags(self.sliding),
            "gemma3n.activation_sparsity_scale": f32s([_cutoff(share) for share in self._sparsity()]),
            "gemma3n.feed_forward_length": i32s([self.n_ff] * self.n_layer),
        }

    def _sparsity(self) -> list[float]:
        """Give the share of each layer's activations that is set to zero."""
        stated = self.config.get("activation_sparsity_pattern")
        if stated is None:
            return [_SPARSITY if i < _N_SPARSE < self.n_layer else 0.0 for i in range(self.n_layer)]
        shares = stated if isinstance(stated, list) else [stated] * self.n_layer
        if len(shares) != self.n_layer:
            raise BadCheckpoint(f"config.json: activation_sparsity_pattern has no entry for each of {self.n_layer}.")
        return [number({"activation_sparsity_pattern": share}, "activation_sparsity_pattern") for share in shares]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of the usual weights and of those that are this model's own."""
        return super().shapes() | {
            "altup_proj.weight": (self.n_altup - 1, self.n_embd, self.n_embd),
            "altup_unembd_proj.weight": (self.n_altup - 1, self.n_embd, self.n_embd),
            "per_layer_model_proj.weight": (self.n_layer * self.n_embd_per_layer, self.n_embd),
            "blk.{i}.inp_gate.weight": (self.n_embd_per_layer, self.n_embd),
            "blk.{i}.proj.weight": (self.n_embd, self.n_embd_per_layer),
            "blk.{i}.altup_correct_scale.weight": (self.n_embd,),
        }

    def transform(self, pattern: str) -> Transform:
        """Leave everything as it is."""
        return IDENTITY


def _cutoff(share: float) -> float:
    """Give how many standard deviations above the mean a normal variable exceeds with 1 - share.

    Rounded step by step as PyTorch's Normal.icdf does it in float32, for equal files."""
    if not 0 <= share < 1:
        raise BadCheckpoint(f"config.json: activation_sparsity_pattern has {share}, which is no share.")
    centred = np.float32(2) * np.float32(share) - np.float32(1)
    if centred in (-1, 1):
        return math.copysign(math.inf, centred)
    root = math.sqrt(2)
    return float(np.float32(NormalDist().inv_cdf((float(centred) + 1) / 2) / root) * np.float32(root))
