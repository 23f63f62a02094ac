"""Checks wishes against the model before anything is planned."""

from app.core.errors import BadFile, BadRequest
from app.library.facts import ModelFacts, SkippedArray
from app.plan.kv import kv_types
from app.plan.values import PlanRequest

LEAST_CONTEXT = 256
MOST_CONTEXT = 1 << 24  # beyond any model; llama.cpp would try for minutes
MOST_PARALLEL = 256  # LLAMA_MAX_SEQ
MOST_DRAFT_TOKENS = 64

_COUNTS = (
    *("context_length", "embedding_length", "feed_forward_length", "expert_feed_forward_length", "vocab_size"),
    *("attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length"),
)


def check_facts(facts: ModelFacts) -> None:
    """Raise BadFile for a header whose counts are none (llama.cpp refuses them, too): nothing follows from them."""
    for key in _COUNTS:
        value = facts.hyperparameter(key, 0)
        numbers = value if isinstance(value, tuple) else (value,)
        are_counts = bool(numbers) and all(isinstance(number, int) and number >= 0 for number in numbers)
        if not are_counts and not isinstance(value, SkippedArray):
            hint = "Download or convert the model again."
            raise BadFile(f"{facts.path} is damaged: its {key} is {str(value)[:40]}.", hint=hint)


def check_request(request: PlanRequest, facts: ModelFacts) -> None:
    """Raise BadRequest, with numbers, for wishes that contradict the model or themselves."""
    check_facts(facts)
    if request.gpu_layers is not None and request.gpu_layers < 0:
        raise BadRequest(
            f"{request.gpu_layers} layers cannot be put on a GPU.",
            hint=f"Ask for 0 to {facts.n_layers + 1} layers, or leave --gpu-layers out.",
        )
    if not 1 <= request.parallel <= MOST_PARALLEL:
        raise BadRequest(
            f"{request.parallel} answers at a time are not possible.", hint=f"Choose 1 to {MOST_PARALLEL}."
        )
    if request.kv_type not in ("auto", *kv_types(facts)):
        raise BadRequest(
            f"This model's cache cannot be {request.kv_type}: its heads do not fill whole blocks of it.",
            hint="Leave --kv-type out, or choose f16.",
        )
    if not 0 <= request.draft_tokens <= MOST_DRAFT_TOKENS:
        raise BadRequest(
            f"{request.draft_tokens} tokens cannot be guessed ahead at a time.",
            hint=f"Choose 0 to {MOST_DRAFT_TOKENS}.",
        )
    for name, context in (("context", request.context), ("least context", request.min_context)):
        if isinstance(context, int) and context < LEAST_CONTEXT:
            raise BadRequest(
                f"A {name} of {context} tokens is too small.", hint=f"Ask for at least {LEAST_CONTEXT} tokens."
            )
        if isinstance(context, int) and context > MOST_CONTEXT:
            raise BadRequest(
                f"A {name} of {context:,} tokens is too large.", hint=f"Ask for at most {MOST_CONTEXT:,} tokens."
            )
    if request.reserve_bytes is not None and request.reserve_bytes < 0:
        raise BadRequest(f"A reserve of {request.reserve_bytes} bytes makes no sense.", hint="Give 0 or more.")
