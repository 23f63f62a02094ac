"""SmolLM3: HF SmolLM3ForCausalLM, GGUF architecture "smollm3".

Source: HF modeling_smollm3.py, configuration_smollm3.py; llama.cpp conversion/llama.py, src/models/smollm3.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import UnsupportedModel
from converters.families.base import Target
from converters.families.decoder import NAMES
from converters.families.llama import Llama
from converters.jsonfile import JsonObject

_NO_ROPE_EVERY = 4  # n_no_rope_layer_step of src/models/smollm3.cpp


@dataclass(frozen=True)
class SmolLM3(Llama):
    """Llama whose every fourth layer has no rotary embedding; the engine knows which without being told."""

    ARCHITECTURE = "smollm3"
    DEFAULTS: ClassVar[JsonObject] = {
        "max_position_embeddings": 32768, "num_key_value_heads": 4, "rms_norm_eps": 1e-6, "rope_theta": 2000000.0,
        "tie_word_embeddings": True,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = NAMES
    OPTIONAL = frozenset()
    STATES_HEAD_DIM = False

    def check(self) -> None:
        """Refuse layers that the engine would compute otherwise, and head counts that do not divide."""
        super().check()
        if self.config.get("use_sliding_window") and self.config.get("sliding_window"):
            raise UnsupportedModel("This SmolLM3 model has layers with a sliding window, which llama.cpp does not do.")
        every = self.config.get("no_rope_layer_interval", _NO_ROPE_EVERY)
        stated = self.config.get("no_rope_layers")
        usual = [int((i + 1) % _NO_ROPE_EVERY != 0) for i in range(self.n_layer)]
        is_usual = every == _NO_ROPE_EVERY if stated is None else _first(stated, self.n_layer) == usual
        if not is_usual:
            raise UnsupportedModel(
                f"This SmolLM3 model has other layers without positions than every {_NO_ROPE_EVERY}th, "
                "which llama.cpp takes for granted."
            )


def _first(entries: object, count: int) -> list[object] | None:
    return entries[:count] if isinstance(entries, list) else None
