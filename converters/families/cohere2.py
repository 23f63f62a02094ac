"""Cohere's Command R7B and Command A: HF Cohere2ForCausalLM, GGUF architecture "cohere2".

Source: HF modeling_cohere2.py, configuration_cohere2.py; llama.cpp conversion/command_r.py, src/models/cohere2.cpp.
"""

from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import size
from converters.families.cohere import PARALLEL
from converters.families.config import whole, words
from converters.families.decoder import Decoder
from converters.jsonfile import JsonObject
from converters.values import Value, f32, flags, text, u32

_FULL_EVERY = 4  # what src/models/cohere2.cpp takes for granted


@dataclass(frozen=True)
class Cohere2(Decoder):
    """Command R with a window in most layers; only those have positions."""

    ARCHITECTURE = "cohere2"
    DEFAULTS: ClassVar[JsonObject] = {
        "layer_norm_eps": 1e-5, "logit_scale": 0.0625, "max_position_embeddings": 8192, "rope_theta": 10000.0,
        "rotary_pct": 1.0, "sliding_window": 4096, "tie_word_embeddings": True,
    }  # fmt: skip
    TENSORS = PARALLEL
    PRE_TOKENIZERS = ("command-r",)
    ZEROS = (r"model\.layers\.\d+\..*\.bias",)

    logit_scale: float = size("logit_scale")
    n_window: int = size("sliding_window")
    rotary_part: float = size("rotary_pct")

    @property
    def slides(self) -> list[bool]:
        """Which layers see a window."""
        kinds = words(self.config, "layer_types", self.n_layer)
        if kinds is not None:
            return [kind == "sliding_attention" for kind in kinds]
        every = whole(self.config, "sliding_window_pattern", "layer_switch", default=_FULL_EVERY)
        return [not every or (i + 1) % every != 0 for i in range(self.n_layer)]

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; positions are never stretched."""
        a = self.ARCHITECTURE
        usual = [(i + 1) % _FULL_EVERY != 0 for i in range(self.n_layer)]
        pattern = {} if self.slides == usual else {f"{a}.attention.sliding_window_pattern": flags(self.slides)}
        return (
            super().metadata()
            | pattern
            | {
                f"{a}.attention.key_length": u32(self.head_dim),
                f"{a}.attention.value_length": u32(self.head_dim),
                f"{a}.attention.sliding_window": u32(self.n_window),
                f"{a}.logit_scale": f32(self.logit_scale),
                f"{a}.rope.dimension_count": u32(int(self.rotary_part * self.head_dim)),
                f"{a}.rope.scaling.type": text("none"),
                f"{a}.vocab_size": u32(self.n_vocab),
            }
        )
