"""A model loaded for serving: one llama.cpp context that holds several sequences.

Every call may crash the process it runs in: this belongs into the worker child alone.
"""

import ctypes
import ctypes.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.errors import AppError, Cancelled, EngineFailed, NotEnoughMemory
from app.llama.bindings import load_llama
from app.llama.parameters import ContextSize, Placement, context_parameters, model_parameters
from app.llama.session_batch import Batch
from app.llama.session_log import LlamaLog
from app.llama.session_vocab import Vocabulary

DECODED, NO_ROOM, ABORTED = 0, 1, 2  # llama_decode's return values (llama.h); less than 0 is a failure
OUT_OF_MEMORY = -2  # GGML_STATUS_ALLOC_FAILED (llama-context.cpp, decode)


@dataclass(frozen=True)
class SessionOptions:
    """What a model is loaded with: a plan's fields.

    gpus: ids of the devices the plan uses; no others are touched. An override is (pattern, device), the device "CPU"
    or a GPU's id.
    """

    n_gpu_layers: int
    context: int
    kv_type: str
    n_ubatch: int
    n_outputs_max: int
    n_threads: int
    parallel: int
    gpus: tuple[str, ...] = ()
    tensor_split: tuple[int, ...] = ()
    tensor_overrides: tuple[tuple[str, str], ...] = ()

    @property
    def placement(self) -> Placement:
        """Where the model's tensors go."""
        return Placement(self.n_gpu_layers, self.gpus, self.tensor_split, self.tensor_overrides)

    @property
    def context_size(self) -> ContextSize:
        """What the context is made of."""
        return ContextSize(self.context, self.kv_type, self.n_ubatch, self.parallel, self.n_outputs_max)


class Session:
    """A loaded model and its context. One thread uses it; `abort` alone may be called from any."""

    def __init__(self, llama: Any, log: LlamaLog, model: Any, context: Any, options: SessionOptions) -> None:
        self.llama = llama
        self.log = log
        self.model = model
        self.context = context
        self.vocabulary = Vocabulary(llama, model)
        self.parallel = options.parallel
        self.n_ctx: int = llama.llama_n_ctx_seq(context)
        self.n_batch: int = llama.llama_n_batch(context)
        self.n_ctx_train: int = llama.llama_model_n_ctx_train(model)
        self.n_swa: int = llama.llama_model_n_swa(model)
        self.recurrent: bool = llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model)
        self._memory = llama.llama_get_memory(context)
        self._abort_flag = _install_abort(llama, context)

    def batch(self) -> Batch:
        """Return a batch with room for n_batch tokens; the caller closes it before the session."""
        return Batch(self.llama, self.n_batch, self.parallel)

    def decode(self, batch: Batch) -> int:
        """Work on the batch; returns DECODED, NO_ROOM, ABORTED or a negative number (llama.h)."""
        batch.raw.n_tokens = batch.length
        result: int = self.llama.llama_decode(self.context, batch.raw)
        self._abort_flag[0] = 0
        return result

    def abort(self) -> None:
        """Make the decode that runs now return soon (only the CPU's part of the work heeds this)."""
        self._abort_flag[0] = 1

    def logits(self, output: int) -> "ctypes.Array[ctypes.c_float]":
        """Return a copy of the logits of batch position `output`."""
        pointer = self.llama.llama_get_logits_ith(self.context, output)
        return (ctypes.c_float * self.vocabulary.size).from_buffer_copy(
            ctypes.string_at(pointer, 4 * self.vocabulary.size)
        )

    def positions(self, sequence: int) -> tuple[int, int]:
        """Return the first and the last position that memory holds of a sequence; (-1, -1) when none.

        Between the two nothing is missing: llama_kv_cache::apply_ubatch keeps that invariant.
        """
        first = self.llama.llama_memory_seq_pos_min(self._memory, sequence)
        last = self.llama.llama_memory_seq_pos_max(self._memory, sequence)
        return first, last

    def remove(self, sequence: int, start: int = -1) -> bool:
        """Remove positions from `start` on (all by default); False when that part cannot be removed alone."""
        return bool(self.llama.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def warm_up(self, n_tokens: int) -> None:
        """Decode a few tokens and forget them: what is allocated with the first decode is there after it.

        Raises NotEnoughMemory when it is not, EngineFailed when llama.cpp cannot decode.
        """
        batch = self.batch()
        token = max(0, int(self.llama.llama_vocab_bos(self.llama.llama_model_get_vocab(self.model))))
        n_tokens = min(n_tokens, batch.room)
        batch.add_chunk(0, 0, [token] * n_tokens, wants_logits=True)
        result = self.decode(batch)
        batch.close()
        self.llama.llama_memory_clear(self._memory, False)
        if result != DECODED:
            raise self.failure(result, f"Decoding the first {n_tokens} tokens")

    def failure(self, result: int, what: str) -> AppError:
        """Return the error for a decode that returned `result` and cannot be tried again; `what` names the work."""
        if result == OUT_OF_MEMORY:
            return NotEnoughMemory(
                f"{what} failed: the memory is used up.",
                hint="Lower the context, close other programs, or let fewer layers run on the GPU.",
                detail=self.log.text(),
            )
        return EngineFailed(
            f"{what} failed (llama_decode: {result}).",
            hint="Try again; if it happens again, load the model with a smaller context.",
            detail=self.log.text(),
        )

    def chat_template(self) -> str:
        """Return the model's own chat template, "" when it has none."""
        text = self.llama.llama_model_chat_template(self.model, None)
        return text.decode("utf-8", "replace") if text else ""

    def close(self) -> None:
        """Free the context and the model."""
        self.llama.llama_free(self.context)
        self.llama.llama_model_free(self.model)


def load_session(path: Path, options: SessionOptions, on_progress: Callable[[float], bool]) -> Session:
    """Load a model file.

    `on_progress` hears the loaded part from 0 to 1 and returns whether to go on. Raises Cancelled when it says no,
    NotEnoughMemory, UnsupportedModel, or EngineFailed with llama.cpp's own words.
    """
    llama = load_llama()
    llama.llama_backend_init()
    log = LlamaLog(llama)
    model = _load_model(llama, log, path, options, on_progress)
    context = llama.llama_init_from_model(model, context_parameters(llama, options.context_size, options.n_threads))
    if not context:
        llama.llama_model_free(model)
        raise log.explain(f"Making room for a context of {options.context:,} tokens with {path.name}")
    return Session(llama, log, model, context, options)


def _load_model(
    llama: Any, log: LlamaLog, path: Path, options: SessionOptions, on_progress: Callable[[float], bool]
) -> Any:
    cancelled = False

    def report(part: float, _: Any) -> bool:
        nonlocal cancelled
        cancelled = cancelled or not on_progress(part)
        return not cancelled

    parameters = model_parameters(llama, options.placement)
    parameters.struct.progress_callback = llama.llama_progress_callback(report)
    model = llama.llama_model_load_from_file(str(path).encode(), parameters.struct)
    if cancelled:
        if model:
            llama.llama_model_free(model)
        raise Cancelled
    if not model:
        raise log.explain(f"Loading {path.name}")
    return model


def _install_abort(llama: Any, context: Any) -> "ctypes.Array[ctypes.c_ubyte]":
    """Give the context an abort callback and return the flag it reads.

    llama.cpp asks the callback before each node of the graph: Python there would cost milliseconds a token. C's own
    strlen does it: of the flag and the zero behind it, it makes 0 (go on) or 1 (abort).
    """
    flag = (ctypes.c_ubyte * 2)(0, 0)
    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    callback = ctypes.cast(library.strlen, llama.ggml_abort_callback)
    llama.llama_set_abort_callback(context, callback, ctypes.cast(flag, ctypes.c_void_p))
    return flag
