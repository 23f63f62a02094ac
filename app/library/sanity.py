"""Refuses hyperparameters that would make llama.cpp abort its process instead of answering.

Each rule stands for an assertion of the llama.cpp in llama-cpp-python 0.3.36 (src/llama-hparams.h, llama-model.cpp).
"""

import math

from app.core.errors import BadFile
from app.library.facts import ModelFacts, SkippedArray

MAX_LAYERS = 512  # LLAMA_MAX_LAYERS
MAX_EXPERTS = 1024  # LLAMA_MAX_EXPERTS

_EPSILONS = ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon", "attention.group_norm_epsilon")


def check_hyperparameters(facts: ModelFacts) -> None:
    """Raise BadFile for a number that no model has; what is absent is not judged here."""
    for complaint in (_layers(facts), _experts(facts), _epsilons(facts), _vocabulary(facts)):
        if complaint:
            raise BadFile(f"{facts.path} is damaged: {complaint}.", hint="Download or convert the model again.")


def _layers(facts: ModelFacts) -> str:
    count = facts.hyperparameter("block_count")
    if count is None or (isinstance(count, int) and 1 <= count <= MAX_LAYERS):
        return ""
    return f"it claims {count} layers; 1 to {MAX_LAYERS} are possible"


def _experts(facts: ModelFacts) -> str:
    count = facts.hyperparameter("expert_count", 0)
    used = facts.hyperparameter("expert_used_count", 0)
    if not isinstance(count, int) or not 0 <= count <= MAX_EXPERTS:
        return f"it claims {count} experts; up to {MAX_EXPERTS} are possible"
    if isinstance(used, int) and (used > count or (count > 0 and used == 0)):
        return f"it uses {used} of {count} experts"
    return ""


def _epsilons(facts: ModelFacts) -> str:
    for key in _EPSILONS:
        value = facts.hyperparameter(key, 0.0)
        if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            return f"its {key} is {value}"
    return ""


def _vocabulary(facts: ModelFacts) -> str:
    n_tokens = _length(facts, "tokenizer.ggml.tokens")
    for key in ("tokenizer.ggml.token_type", "tokenizer.ggml.scores"):
        length = _length(facts, key)
        if length is not None and length != n_tokens:
            return f"it has {n_tokens or 0} tokens but {length} entries in {key}"
    return ""


def _length(facts: ModelFacts, key: str) -> int | None:
    value = facts.metadata.get(key)
    if isinstance(value, SkippedArray):
        return value.length
    return len(value) if isinstance(value, tuple) else None
