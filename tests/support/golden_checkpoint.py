"""Rebuilds the tiny checkpoint of a golden: the same bytes wherever it is built, from numpy and integers alone.

Every tensor's values follow from its own name, so neither order nor other tensors matter. Kinds of values: "normal"
(about normal, deviation 0.05), "zero", "one", "positive" (0.5 to 1.5), "below:N" (integers 0 to N - 1), and "as:NAME"
(the values of the tensor NAME).
"""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.checkpoints import write_shards

TOKENIZERS = Path(__file__).parents[1] / "fixtures" / "tokenizers"
DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "U8": np.uint8, "I32": np.int32, "I64": np.int64}


def build_checkpoint(checkpoint: Mapping[str, Any], parent: Path) -> Path:
    """Write config.json, tokenizer, other files and weights into a folder named by the golden; gives the folder."""
    folder: Path = parent / checkpoint["folder"]
    folder.mkdir(parents=True)
    copy_tokenizer(checkpoint["tokenizer"], folder)
    for name, content in {"config.json": checkpoint["config"], **checkpoint["files"]}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
    tensors = {name: tensor_of(name, *spec) for name, spec in checkpoint["tensors"].items()}
    write_shards(folder, tensors, checkpoint["shards"])
    return folder


def copy_tokenizer(fixture: str, folder: Path) -> None:
    """Copy the files of a tokenizer fixture."""
    for path in sorted((TOKENIZERS / fixture).iterdir()):
        shutil.copyfile(path, folder / path.name)


def tensor_of(name: str, dtype: str, shape: Sequence[int], kind: str = "normal") -> npt.NDArray[Any]:
    """Give a tensor; BF16 comes as uint16."""
    source, _, what = (kind[3:], "", "normal") if kind.startswith("as:") else (name, "", kind)
    if what.startswith("below:"):
        numbers = _raw(source, shape) % np.uint64(what[6:])
        return numbers.astype(DTYPES[dtype])
    values = _floats(source, shape, what)
    return _bf16(values) if dtype == "BF16" else values.astype(DTYPES[dtype])


def _floats(source: str, shape: Sequence[int], kind: str) -> npt.NDArray[np.float32]:
    if kind in ("zero", "one"):
        return np.full(shape, 1.0 if kind == "one" else 0.0, np.float32)
    raw = _raw(source, shape)
    quarters = sum(((raw >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64) for shift in (0, 16, 32, 48))
    centred = (quarters - 2 * 0xFFFF).astype(np.float64) / 0x20000  # a sum of four even numbers, in [-1, 1]
    if kind == "positive":
        return (1.0 + centred / 2).astype(np.float32)
    if kind != "normal":
        raise ValueError(f"{kind!r} is no kind of values")
    return (centred * (0.05 * 2 * math.sqrt(3.0))).astype(np.float32)


def _raw(source: str, shape: Sequence[int]) -> npt.NDArray[np.uint64]:
    """Give random bits; numpy keeps this generator's stream as it is from version to version."""
    seed = int.from_bytes(hashlib.sha256(source.encode()).digest()[:16], "little")
    return np.asarray(np.random.PCG64(seed).random_raw(math.prod(shape)), np.uint64).reshape(shape)


def _bf16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    bits = values.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)
