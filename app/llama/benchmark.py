"""How fast a device computes with weights of one type: a model of noise is loaded there and really used.

Must run in a child: a type that a backend does not know can abort the process.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.errors import EngineFailed
from app.llama.benchmark_file import HEAD_SIZE, Shape, write_noise_model
from app.llama.parameters import ContextSize, Placement, context_parameters, model_parameters
from app.llama.session_batch import Batch
from app.llama.session_log import LlamaLog

CPU = "CPU"
Q8_0 = 8
# Larger than most caches, so that memory is what feeds the weights; small enough to be read often in little time.
WEIGHTS_BYTES = 80 * 10**6
LEAST_LAYERS = 2
DECODES, PROMPTS = 8, 3
# A processor is as fast with short pieces of a prompt as with long ones; a GPU needs some length to fill up.
PROMPT_TOKENS, GPU_PROMPT_TOKENS = 64, 256
SLOWEST_S = 0.35
NARROW_LAYERS = (4, 16)
LOOK_BACK = 512
HALF_TILE = 32


@dataclass(frozen=True)
class TypeSpeed:
    """What a device does with weights of one type in a second: bytes while writing, arithmetic while reading."""

    decode_bytes_per_s: float
    prefill_flops: float


@dataclass(frozen=True)
class DeviceSpeed:
    """What a device takes besides: for a token, for a layer, for an element of a query at each position."""

    token_s: float
    layer_s: float
    attention_decode_s: float
    attention_prefill_s: float


@dataclass(frozen=True)
class TaskSpeed:
    """One setting's seconds for a token that is written and for a token that is read."""

    decode_s: float
    prefill_s: float


class NoiseModel:
    """A loaded model of noise; times are the least of a few runs, since other programs only ever add."""

    def __init__(self, llama: Any, model: Any, context: Any, n_ubatch: int) -> None:
        self._llama, self._model, self._context = llama, model, context
        self._memory = llama.llama_get_memory(context)
        self._batch = Batch(llama, n_ubatch, 1)

    def set_threads(self, n_threads: int) -> None:
        """Compute with so many threads from here on."""
        self._llama.llama_set_n_threads(self._context, n_threads, n_threads)

    def decode_s(self, position: int = 0) -> float:
        """Return the seconds of one token at `position`; what is before it must be filled."""
        return least(lambda: self._run(1, position), DECODES + 2)

    def prompt_s(self, n_tokens: int, position: int = 0, runs: int = PROMPTS) -> float:
        """Return the seconds of a piece of a prompt."""
        return least(lambda: self._run(n_tokens, position), runs)

    def close(self) -> None:
        """Free it."""
        self._batch.close()
        self._llama.llama_free(self._context)
        self._llama.llama_model_free(self._model)

    def _run(self, n_tokens: int, position: int) -> None:
        self._llama.llama_memory_seq_rm(self._memory, 0, position, -1)
        self._batch.clear()
        self._batch.add_chunk(0, position, [1] * n_tokens, wants_logits=True)
        self._batch.raw.n_tokens = n_tokens
        result = self._llama.llama_decode(self._context, self._batch.raw)
        self._llama.llama_synchronize(self._context)
        if result:
            raise EngineFailed(f"A model of noise could not be computed (llama_decode: {result}).")


class Benchmark:
    """Measures devices; `folder` takes the models while they are in use."""

    def __init__(self, llama: Any, folder: Path) -> None:
        self._llama = llama
        self._folder = folder
        self._log = LlamaLog(llama)

    def type_speed(self, device: str, ggml_type: int, n_threads: int) -> TypeSpeed:
        """Return a device's speed with weights of one type; raises EngineFailed where it cannot use them."""
        shape = typical_shape(ggml_type)
        length = PROMPT_TOKENS if device == CPU else GPU_PROMPT_TOKENS
        with self._loaded(shape, device, n_threads, length) as model:
            decode_s = model.decode_s()
            prompt_s = model.prompt_s(length)
        return TypeSpeed(
            shape.n_layers * shape.layer_bytes / decode_s, 2.0 * shape.prompt_parameters * length / prompt_s
        )

    def device_speed(self, device: str, n_threads: int) -> DeviceSpeed:
        """Return what a device takes besides multiplying with weights, from models that have next to none."""
        few, many = NARROW_LAYERS
        with self._loaded(_narrow_shape(many), device, n_threads, PROMPT_TOKENS) as model:
            long_s = model.decode_s()
        shape = _narrow_shape(few)
        with self._loaded(shape, device, n_threads, LOOK_BACK) as model:
            short_s = model.decode_s()
            prompt_s = model.prompt_s(LOOK_BACK)
            far_s = model.decode_s(LOOK_BACK)
        layer_s = max(0.0, long_s - short_s) / (many - few)
        elements = few * shape.n_heads * HEAD_SIZE * LOOK_BACK
        # A prompt's tokens look back at half of it, and in vain at half a tile (ggml-cpu, GGML_FA_TILE_KV).
        looked_at = LOOK_BACK / 2 + HALF_TILE
        return DeviceSpeed(
            token_s=max(0.0, short_s - few * layer_s),
            layer_s=layer_s,
            attention_decode_s=max(0.0, far_s - short_s) / elements,
            attention_prefill_s=max(0.0, prompt_s - short_s) / (elements * looked_at),
        )

    def task_speeds(
        self, device: str, ggml_type: int, n_threads: Sequence[int], n_ubatch: int
    ) -> tuple[TaskSpeed, ...]:
        """Return the speed with each number of threads, prompts read in pieces of `n_ubatch`."""
        speeds = []
        with self._loaded(typical_shape(ggml_type), device, n_threads[0], n_ubatch) as model:
            for count in n_threads:
                model.set_threads(count)
                speeds.append(TaskSpeed(model.decode_s(), model.prompt_s(n_ubatch) / n_ubatch))
        return tuple(speeds)

    @contextmanager
    def _loaded(self, shape: Shape, device: str, n_threads: int, n_ubatch: int) -> Iterator[NoiseModel]:
        path = self._folder / f"noise-{os.getpid()}.gguf"
        write_noise_model(shape, path)
        try:
            model = self._load(path, shape, device, n_threads, n_ubatch)
            try:
                yield model
            finally:
                model.close()
        finally:
            with suppress(OSError):
                path.unlink()

    def _load(self, path: Path, shape: Shape, device: str, n_threads: int, n_ubatch: int) -> NoiseModel:
        placement = Placement(0) if device == CPU else Placement(shape.n_layers + 1, (device,))
        parameters = model_parameters(self._llama, placement)
        model = self._llama.llama_model_load_from_file(str(path).encode(), parameters.struct)
        if not model:
            raise self._log.explain(f"Loading a model of noise on {device}")
        size = ContextSize(max(1024, 2 * n_ubatch), "f16", n_ubatch, parallel=1, n_outputs_max=1)
        context = self._llama.llama_init_from_model(model, context_parameters(self._llama, size, n_threads))
        if not context:
            self._llama.llama_model_free(model)
            raise self._log.explain(f"Making a context on {device}")
        return NoiseModel(self._llama, model, context, n_ubatch)


def typical_shape(ggml_type: int) -> Shape:
    """Return a model as deep as it takes for its weights to be larger than caches."""
    one = Shape(1, n_embd=1024, n_ff=2816, n_heads=16, n_kv_heads=4, ggml_type=ggml_type)
    n_layers = max(LEAST_LAYERS, -(-WEIGHTS_BYTES // one.layer_bytes))
    return Shape(n_layers, one.n_embd, one.n_ff, one.n_heads, one.n_kv_heads, ggml_type)


def _narrow_shape(n_layers: int) -> Shape:
    return Shape(n_layers, n_embd=64, n_ff=64, n_heads=16, n_kv_heads=4, ggml_type=Q8_0)


def least(run: Callable[[], None], count: int) -> float:
    """Return the least seconds of `count` runs; of two at least, however slow, the first one warms up."""
    best, began_s = float("inf"), time.perf_counter()
    for number in range(count):
        start_s = time.perf_counter()
        run()
        now_s = time.perf_counter()
        best = min(best, now_s - start_s)
        if number and now_s - began_s > SLOWEST_S:
            break
    return best
