"""Refuses facts that would make llama.cpp abort its process instead of answering.

Each rule stands for an assertion of the llama.cpp in llama-cpp-python 0.3.36 (src/llama-model.cpp, load_hparams;
ggml/src/ggml-cpu) or for its own refusal; tests/support/malformed*.py have a file for each.
"""

import re

from app.core.errors import BadFile
from app.library.facts import ModelFacts, SkippedArray
from app.library.ggml_types import GGML_TYPES

MAX_LAYERS = 512  # LLAMA_MAX_LAYERS
MAX_EXPERTS = 1024  # LLAMA_MAX_EXPERTS

ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")  # LLAMA_ROPE_SCALING_TYPES

_EPSILONS = ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon", "attention.group_norm_epsilon")
# One expert is none at all to these (load_hparams sets both counts to 0).
_DENSE_WITH_ONE_EXPERT = ("hunyuan-dense", "hunyuan_vl")
_ONLY_WITH_EXPERTS = ("glm4moe",)
_UNUSABLE = ("I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K")
_MATRIX = re.compile(r"(token_embd|(blk\.\d+\.)?(attn_(q|k|v|qkv|output)|ffn_(gate|up|down)|output))\.weight")
_NORM = re.compile(r"(output_norm|blk\.\d+\.(attn|ffn)_norm)\.weight")
# Types that no backend multiplies with: I8 to F64, and what activations are quantized to while computing.
_NO_WEIGHTS = frozenset(number for number, kind in GGML_TYPES.items() if kind.name in _UNUSABLE)
_REALS = frozenset(number for number, kind in GGML_TYPES.items() if kind.name in ("F32", "F16", "BF16"))


def check_hyperparameters(facts: ModelFacts) -> None:
    """Raise BadFile for what no model has and llama.cpp does not survive; what is absent is not judged here."""
    if facts.architecture == "clip":  # part of another model: llama.cpp reads no such numbers
        return
    for find in (_layers, _experts, _expert_groups, _rope, _epsilons, _vocabulary, _types):
        complaint = find(facts)
        if complaint:
            raise BadFile(f"{facts.path} is damaged: {complaint}.", hint="Download or convert the model again.")


def _layers(facts: ModelFacts) -> str:
    count = facts.hyperparameter("block_count")
    if count is None:
        return ""
    if not isinstance(count, int) or not 1 <= count <= MAX_LAYERS:
        return f"it claims {_shown(count)} layers; 1 to {MAX_LAYERS} are possible"
    draft = facts.hyperparameter("nextn_predict_layers", 0)
    return f"{_shown(draft)} of its {count} layers are for drafts" if isinstance(draft, int) and draft > count else ""


def _experts(facts: ModelFacts) -> str:
    count = facts.hyperparameter("expert_count", 0)
    used = _used_experts(facts)
    if not isinstance(count, int) or not 0 <= count <= MAX_EXPERTS:
        return f"it claims {_shown(count)} experts; up to {MAX_EXPERTS} are possible"
    if count <= 1 and facts.architecture in _DENSE_WITH_ONE_EXPERT:
        return ""
    if used > count or (used == 0 and (count > 0 or facts.architecture in _ONLY_WITH_EXPERTS)):
        return f"it uses {used} of {count} experts"
    return ""


def _used_experts(facts: ModelFacts) -> int:
    used = facts.hyperparameter("expert_used_count", 0)
    counts = [count for count in (used if isinstance(used, tuple) else (used,)) if isinstance(count, int)]
    return max(counts, default=0)


def _expert_groups(facts: ModelFacts) -> str:
    count, groups, used = (
        facts.hyperparameter(key, 0) for key in ("expert_count", "expert_group_count", "expert_group_used_count")
    )
    if not all(isinstance(number, int) for number in (count, groups, used)):
        return ""
    if count <= 1 and facts.architecture in _DENSE_WITH_ONE_EXPERT:
        count = 0
    is_even = groups <= 1 or (count % groups == 0 and 0 < used < groups)
    if groups and (groups >= count or not is_even):
        return f"it uses {used} of {groups} groups of {count} experts"
    return ""


def _rope(facts: ModelFacts) -> str:
    scaling = facts.hyperparameter("rope.scaling.type", "none")
    if not isinstance(scaling, str) or scaling in ROPE_SCALINGS:
        return ""
    return f"its rope scaling is {scaling[:40]!r}; llama.cpp knows {', '.join(ROPE_SCALINGS)}"


def _epsilons(facts: ModelFacts) -> str:
    for key in _EPSILONS:
        value = facts.hyperparameter(key, 0.0)
        if isinstance(value, float) and not value >= 0:  # NaN is not, either
            return f"its {key} is {value}"
    return ""


def _vocabulary(facts: ModelFacts) -> str:
    n_tokens = _length(facts, "tokenizer.ggml.tokens") or 0
    for key in ("tokenizer.ggml.token_type", "tokenizer.ggml.scores"):
        length = _length(facts, key)
        if length is not None and length < n_tokens:
            return f"it has {n_tokens} tokens but {length} entries in {key}"
    return ""


def _types(facts: ModelFacts) -> str:
    for tensor in facts.tensors:
        is_unusable = tensor.ggml_type in _NO_WEIGHTS and _MATRIX.fullmatch(tensor.name)
        if is_unusable or (tensor.ggml_type not in _REALS and _NORM.fullmatch(tensor.name)):
            return (
                f"tensor {tensor.name!r} is of type {GGML_TYPES[tensor.ggml_type].name}, which cannot be computed with"
            )
    return ""


def _shown(value: object) -> str:
    return str(value)[:40]


def _length(facts: ModelFacts, key: str) -> int | None:
    value = facts.metadata.get(key)
    if isinstance(value, SkippedArray):
        return value.length
    return len(value) if isinstance(value, tuple) else None
