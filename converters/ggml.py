"""The only door to llama.cpp: ggml's row kernels by ctypes, and, for the helper process, tokenizing and the dry run.

Row kernels (Kernels) are plain C that cannot abort on sound input and run in the converting process, which is itself
a child. Loading a vocabulary or asking for a dry run (Library) can abort the process: helper.py runs those elsewhere.
"""

import ctypes
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.errors import BadCheckpoint, EngineFailed
from converters.jsonfile import JsonObject
from converters.quant_types import FileType, GgmlType, size_of
from converters.trial import last_words, list_tensors, try_file

_HINT = "Install llama-cpp-python: `make run` does it."


def _library_folder() -> Path:
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or not spec.submodule_search_locations:
        raise EngineFailed("llama.cpp's library (llama-cpp-python) is not installed.", hint=_HINT)
    return Path(next(iter(spec.submodule_search_locations))) / "lib"


def _load_base() -> ctypes.CDLL:
    """Load libggml-base; the versioned file first, because the folder holds copies and libllama asks for that one."""
    folder = _library_folder()
    names = ("libggml-base.so.0", "libggml-base.so", "libggml-base.0.dylib", "libggml-base.dylib", "ggml-base.dll")
    for name in names:
        if (folder / name).is_file():
            return ctypes.CDLL(str(folder / name))
    raise EngineFailed(f"No ggml-base library in {folder}.", hint=_HINT)


# the smallest magnitudes that round to infinity: half a step beyond the largest finite value
_OVERFLOW = {GgmlType.F16: np.float32(65520.0), GgmlType.BF16: np.float32(3.3961775e38)}
_SCRATCH_VALUES = 1 << 16  # values rounded at a time: the scratch stays in the processor's cache

Buffer = bytes | bytearray | memoryview | npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Packed = npt.NDArray[np.uint8]


class Kernels:
    """ggml's conversions of rows. Each call releases the interpreter's lock, so threads run side by side.

    Buffers that are given are filled and returned, so that nothing is copied twice; rows that are not contiguous are
    copied first."""

    def __init__(self) -> None:
        base = _load_base()
        self._quantize = base.ggml_quantize_chunk
        self._quantize.restype = ctypes.c_size_t
        self._quantize.argtypes = [
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_void_p,
            *[ctypes.c_int64] * 3,
            ctypes.c_void_p,
        ]
        self._validate = base.ggml_validate_row_data
        self._validate.restype = ctypes.c_bool
        self._validate.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
        self._widen = {"F16": base.ggml_fp16_to_fp32_row, "BF16": base.ggml_bf16_to_fp32_row}
        for function in self._widen.values():
            function.restype = None
            function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]

    def widen(self, dtype: str, raw: Buffer, out: Floats | int) -> Floats:
        """Turn stored little-endian values of dtype F32, F16 or BF16 into float32.

        out: where they go, or how many there are. F32 is not moved: the result is a view of raw."""
        n_values = out if isinstance(out, int) else out.size
        if dtype == "F32":
            values = np.frombuffer(raw, dtype="<f4", count=n_values)
            return values if isinstance(out, int) else values.reshape(out.shape)
        source = np.frombuffer(raw, dtype=np.uint16, count=n_values)
        values = np.empty(n_values, dtype=np.float32) if isinstance(out, int) else out
        self._widen[dtype](source.ctypes.data, values.ctypes.data, n_values)
        return values

    def quantize(self, kind: GgmlType, rows: Floats, out: Packed | None = None) -> Packed:
        """Quantize finite (n_rows, n_columns) rows; gives the bytes as they stand in a file, in out if it is given.

        F32 is not moved: the result is a view of rows. Raises BadCheckpoint when a value is beyond the type's range:
        llama.cpp's converter would write infinity, and the model would answer nonsense."""
        rows = np.ascontiguousarray(rows)
        if kind is GgmlType.F32:
            return rows.reshape(-1).view(np.uint8)
        packed = np.empty(size_of(kind, rows.shape), dtype=np.uint8) if out is None else out
        _check_range(kind, rows)
        written = self._quantize(kind, rows.ctypes.data, packed.ctypes.data, 0, rows.shape[0], rows.shape[1], None)
        if written != packed.nbytes or (
            kind not in _OVERFLOW and not self._validate(kind, packed.ctypes.data, packed.nbytes)
        ):
            raise _misfit(kind, rows)
        return packed

    def is_valid(self, kind: GgmlType, packed: bytes) -> bool:
        """Say whether whole blocks hold numbers only: neither values nor scales are infinite or none at all."""
        return bool(self._validate(kind, packed, len(packed)))

    def round_through(self, rows: Floats, wide: GgmlType) -> Floats:
        """Round values, in place, to what a 16-bit type can hold, and give them; F32 leaves them alone.

        The two steps of llama.cpp round a tensor to the type of the unquantized file before they quantize it.
        Raises BadCheckpoint when a value is beyond the type's range."""
        if wide is GgmlType.F32:
            return rows
        _check_range(wide, rows)
        rows = np.ascontiguousarray(rows)
        flat = rows.reshape(-1)
        scratch = np.empty(min(flat.size, _SCRATCH_VALUES), dtype=np.uint16)
        for start in range(0, flat.size, _SCRATCH_VALUES):
            piece = flat[start : start + _SCRATCH_VALUES]
            self._quantize(wide, piece.ctypes.data, scratch.ctypes.data, 0, 1, piece.size, None)
            self._widen[wide.name](scratch.ctypes.data, piece.ctypes.data, piece.size)
        return rows


def _check_range(kind: GgmlType, rows: Floats) -> None:
    limit = _OVERFLOW.get(kind)
    if limit is not None and rows.size and not max(rows.max(), -rows.min()) < limit:
        raise _misfit(kind, rows)


def _misfit(kind: GgmlType, rows: Floats) -> BadCheckpoint:
    hint = "Choose F32." if kind is GgmlType.BF16 else "Choose BF16 or F32."
    return BadCheckpoint(f"A weight of {np.abs(rows).max():g} does not fit {kind.name}.", hint=hint)


class Library:
    """libllama itself; for the helper process only."""

    def __init__(self) -> None:
        self._api = _load_api()
        self._log: list[str] = []
        self._callback = self._api.llama_log_callback(
            lambda level, line, data: self._log.append(line.decode("utf-8", "replace"))
        )
        self._api.llama_log_set(self._callback, None)
        self._api.llama_backend_init()

    def tokenize(self, model: Path, pre: str | None, texts: Sequence[str]) -> list[list[int]]:
        """Give the ids of each text by a vocab-only load of the file; pre overrides its pre-tokenizer."""
        api, handle = self._api, self._load_vocab(model, pre)
        try:
            vocab = api.llama_model_get_vocab(handle)
            return [self._ids(vocab, text.encode("utf-8")) for text in texts]
        finally:
            api.llama_model_free(handle)

    def _load_vocab(self, model: Path, pre: str | None) -> Any:
        api = self._api
        params = api.llama_model_default_params()
        params.vocab_only = True
        if pre is not None:
            params.kv_overrides = self._override("tokenizer.ggml.pre", pre)
        self._log.clear()
        handle = api.llama_model_load_from_file(os.fsencode(model), params)
        if not handle:
            raise EngineFailed(f"llama.cpp cannot load the tokenizer: {self._last_words()}")
        return handle

    def _override(self, key: str, value: str) -> Any:
        """Give the array of one overridden string, ended by an empty entry."""
        overrides = (self._api.llama_model_kv_override * 2)()
        overrides[0].tag = self._api.LLAMA_KV_OVERRIDE_TYPE_STR
        overrides[0].key = key.encode()
        overrides[0].value.val_str = value.encode()
        return overrides

    def _ids(self, vocab: Any, text: bytes) -> list[int]:
        room = len(text) + 8
        tokens = (self._api.llama_token * room)()
        count = self._api.llama_tokenize(vocab, text, len(text), tokens, room, False, True)
        return list(tokens[:count])

    def planned_types(self, model: Path, file_type: FileType) -> dict[str, str]:
        """Give the type that llama_model_quantize would give each tensor that it quantizes (lower-case ggml name)."""
        params = self._api.llama_model_quantize_default_params()
        params.ftype, params.dry_run = file_type.number, True
        self._log.clear()
        if self._api.llama_model_quantize(
            os.fsencode(model), os.fsencode(model.with_suffix(".out")), ctypes.byref(params)
        ):
            raise EngineFailed(f"llama.cpp's dry run of {file_type.name} failed: {self._last_words()}")
        line = re.compile(r"\]\s+(\S+)\s+-\s+\[[^\]]*\], type =\s+(\S+), size =[^\n]*?(?:\((\w+)\))?\n")
        return {name: new or old for name, old, new in line.findall("".join(self._log))}

    def list_tensors(self, model: Path) -> JsonObject:
        """Load a finished file without its weights: see trial.py."""
        return list_tensors(self._api, self._log, model)

    def try_file(self, model: Path, n_tokens: int, n_threads: int, most_s: float) -> JsonObject:
        """Load a finished file and generate n_tokens: see trial.py."""
        return try_file(self._api, self._log, model, n_tokens, n_threads, most_s)

    def _last_words(self) -> str:
        return last_words(self._log)


def _load_api() -> Any:
    """Import the low-level bindings without the package's __init__, whose high-level half needs more packages."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None:
        raise EngineFailed("llama.cpp's library (llama-cpp-python) is not installed.", hint=_HINT)
    sys.modules.setdefault("llama_cpp", importlib.util.module_from_spec(spec))
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise EngineFailed(f"llama.cpp's library cannot be loaded: {error}", hint=_HINT) from error
