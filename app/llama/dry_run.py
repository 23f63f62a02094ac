"""llama.cpp asked what a candidate would take, without allocating it.

A model is "loaded" from its skeleton with no_alloc, a context is laid out, its memory is read. Must run in a child: an
odd model can abort the process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.errors import EngineFailed, UnsupportedModel
from app.llama.devices import device_pointer
from app.llama.ggml import ggml, text
from app.llama.logs import LogCollector
from app.llama.memory import BufferUse, MemoryReader, UnreadableMemory, check_against_log, uses_from_log
from app.llama.parameters import ContextSize, Placement, context_parameters, model_parameters


@dataclass
class _Loaded:
    """The model that is loaded now."""

    path: Path
    placement: Placement
    model: Any


@dataclass(frozen=True)
class Answer:
    """The bytes by buffer type; with a `fault`, only the compute buffers are known (to 0.01 MiB), all else is 0."""

    uses: tuple[BufferUse, ...]
    fault: UnreadableMemory | None = None


class DryRun:
    """Answers candidates one after the other; a model stays loaded while only its context changes."""

    def __init__(self, llama: Any) -> None:
        self._llama = llama
        self._log = LogCollector(llama)
        self._memory: MemoryReader | None = None
        self._loaded: _Loaded | None = None

    def ask(self, skeleton: Path, placement: Placement, size: ContextSize) -> tuple[BufferUse, ...]:
        """Return the bytes by buffer type.

        Raises UnsupportedModel or EngineFailed with llama.cpp's words when it refuses, UnreadableMemory.
        """
        answer = self.ask_or_log(skeleton, placement, size)
        if answer.fault is not None:
            raise answer.fault
        return answer.uses

    def ask_or_log(self, skeleton: Path, placement: Placement, size: ContextSize) -> Answer:
        """Do the same; where the answer cannot be read, what llama.cpp logged of its compute buffers stands for it."""
        self._log.clear()
        model = self._model(skeleton, placement)
        context = self._llama.llama_init_from_model(model, context_parameters(self._llama, size))
        if not context:
            raise EngineFailed(
                f"llama.cpp cannot make a context of {size.context:,} tokens: {self._log.last_error()}.",
                hint="Choose another context or KV type.",
            )
        try:
            self._memory = self._memory or MemoryReader(self._llama)
            uses = self._memory.read(context)
            check_against_log(uses, self._log.lines())
        except UnreadableMemory as fault:
            if logged := uses_from_log(self._log.lines(), _buffer_types(placement.gpus)):
                return Answer(logged, fault)
            raise
        finally:
            self._llama.llama_free(context)
        return Answer(uses)

    def close(self) -> None:
        """Free the model."""
        if self._loaded is not None:
            self._llama.llama_model_free(self._loaded.model)
            self._loaded = None

    def _model(self, skeleton: Path, placement: Placement) -> Any:
        loaded = self._loaded
        if loaded is not None and loaded.path == skeleton and loaded.placement == placement:
            return loaded.model
        self.close()
        parameters = model_parameters(self._llama, placement)
        parameters.struct.no_alloc = True
        model = self._llama.llama_model_load_from_file(str(skeleton).encode(), parameters.struct)
        if not model:
            raise UnsupportedModel(
                f"llama.cpp cannot load this model: {self._log.last_error()}.",
                hint="A newer engine may know it; or the file is damaged.",
            )
        self._loaded = _Loaded(skeleton, placement, model)
        return model


def _buffer_types(gpus: Sequence[str]) -> dict[str, str]:
    """Return the ids of devices by the name of their memory."""
    pointers = {gpu: device_pointer(gpu) for gpu in gpus}
    types = {gpu: ggml("ggml_backend_dev_buffer_type")(pointer) for gpu, pointer in pointers.items() if pointer}
    return {text(ggml("ggml_backend_buft_name")(buffer_type)): gpu for gpu, buffer_type in types.items()}
