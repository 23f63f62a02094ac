"""What is asked of the planner and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.library.facts import ModelFacts

Verdict = Literal["gpu", "partial", "cpu", "too_big"]
KvType = Literal["f16", "q8_0", "q4_0"]


@dataclass(frozen=True)
class PlanRequest:
    """The user's wishes; None leaves the choice to the planner. `context` "max" asks for the largest that fits.

    draft_tokens: tokens guessed ahead at a time, each needs an output. all_outputs: every token of a prompt needs one
    (embeddings, a prompt's log-probabilities, perplexity).
    """

    context: int | Literal["max"] | None = None
    min_context: int = 4096
    kv_type: KvType | Literal["auto"] = "auto"
    reserve_bytes: int | None = None
    parallel: int = 1
    gpu_layers: int | None = None
    force: bool = False
    draft_tokens: int = 0
    all_outputs: bool = False


@dataclass(frozen=True)
class TensorOverride:
    """Tensors whose names match `pattern` (a regular expression) go to `device` ("CPU" or a GPU's id)."""

    pattern: str
    device: str


@dataclass(frozen=True)
class Candidate:
    """Exactly what llama.cpp would load with; n_batch equals n_ubatch, KV is unified, flash attention is automatic."""

    n_gpu_layers: int
    context: int
    kv_type: KvType = "f16"
    n_ubatch: int = 512
    parallel: int = 1
    n_outputs_max: int = 1
    tensor_split: tuple[int, ...] = ()
    tensor_overrides: tuple[TensorOverride, ...] = ()

    def __hash__(self) -> int:
        """Return the hash of what tells nearly all candidates apart; they are looked up by the thousand."""
        return hash((self.n_gpu_layers, self.context, self.kv_type, self.n_ubatch))

    def placed(
        self, tensor_split: tuple[int, ...], tensor_overrides: tuple[TensorOverride, ...] | None = None
    ) -> "Candidate":
        """Return this with its last layers dealt over the GPUs like this; the overrides stay where none are given."""
        return Candidate(
            sum(tensor_split),
            self.context,
            self.kv_type,
            self.n_ubatch,
            self.parallel,
            self.n_outputs_max,
            tensor_split,
            self.tensor_overrides if tensor_overrides is None else tensor_overrides,
        )


def used_gpus(gpus: Sequence[str], tensor_split: Sequence[int]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the GPUs (and their shares) that a split gives layers to: only those are named to llama.cpp.

    One that is named and gets nothing still costs: every other device then keeps more copies of its inputs. Without a
    split all are used, dealt as llama.cpp likes.
    """
    if not tensor_split:
        return tuple(gpus), ()
    used = [(gpu, share) for gpu, share in zip(gpus, tensor_split, strict=False) if share]
    return tuple(gpu for gpu, _ in used), tuple(share for _, share in used)


@dataclass(frozen=True)
class Use:
    """Bytes on one device."""

    weights_bytes: int = 0
    kv_bytes: int = 0
    compute_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes


@dataclass(frozen=True)
class Breakdown:
    """Bytes of a candidate: on the host and on each GPU by its id.

    is_exact: llama.cpp's own answer; else weights and KV come from formulas and only the compute buffers are its own.
    """

    host: Use
    gpus: Mapping[str, Use] = field(default_factory=dict)
    is_exact: bool = True


DryRun = Callable[[ModelFacts, Candidate, tuple[str, ...]], Breakdown]
"""The port to llama.cpp's own answer: model, candidate, ids of the GPUs in the plan's order.

Raises an AppError when there is none (the analytic figures stand then)."""


@dataclass(frozen=True)
class DevicePlan:
    """What goes onto one device, and what it has."""

    id: str
    total_bytes: int
    free_bytes: int
    reserve_bytes: int
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int


@dataclass(frozen=True)
class ExpectedSpeed:
    """Foretold speed, tokens a second, and the seconds of the task that candidates are compared by.

    Speeds are those that `pronk bench` measures: 512 tokens read, 64 written. The task is 2,000 read, 300 written.
    """

    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    task_s: float = 0.0


@dataclass(frozen=True)
class Rate:
    """What a device was measured to do with weights of one quantization type: bytes read a second while it writes,
    multiplications and additions a second while it reads a prompt."""

    decode_bytes_per_s: float
    prefill_flops: float


@dataclass(frozen=True)
class Pace:
    """What a device was measured to take besides multiplying with weights.

    token_s: each token or piece of a prompt. layer_s: starting one layer's operations. attention_decode_s and
    attention_prefill_s: one element of a query (heads × head size) looking back at one position.
    """

    token_s: float
    layer_s: float
    attention_decode_s: float
    attention_prefill_s: float


@dataclass(frozen=True)
class Learned:
    """What earlier runs on this computer taught; empty at first.

    reserves: bytes by device id ("CPU" is the host), in the place of the first guess. rates: by device id and
    quantization type ("Q4_K"). paces: by device id. n_threads, n_ubatch: what was found to be faster than the usual.
    """

    reserves: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[tuple[str, str], Rate] = field(default_factory=dict)
    paces: Mapping[str, Pace] = field(default_factory=dict)
    n_threads: int | None = None
    n_ubatch: int | None = None


NOTHING_LEARNED = Learned()


@dataclass(frozen=True)
class LoadPlan:
    """How a model is loaded and why; n_gpu_layers counts as llama.cpp does (n_layers_total = blocks + 1)."""

    n_gpu_layers: int
    n_layers_total: int
    context: int
    kv_type: KvType
    flash_attention: bool
    n_batch: int
    n_ubatch: int
    n_outputs_max: int
    n_threads: int
    parallel: int
    tensor_split: tuple[int, ...]
    tensor_overrides: tuple[TensorOverride, ...]
    verdict: Verdict
    method: Literal["dry_run", "analytic"]
    elapsed_ms: float
    devices: tuple[DevicePlan, ...]
    host: DevicePlan
    expected: ExpectedSpeed
    reasons: tuple[str, ...] = ()
    alternatives: tuple["LoadPlan", ...] = ()
