"""Makes hollow checkpoints of well-known models: real config and tensor names, no weights and a tiny tokenizer.

real_configs/MODEL.json holds {"repository", "n_parameters" (of the file that is made of it), "tokenizer" (a fixture),
"config", "tensors": {names: shape or [dtype, shape]}}. A name stands for many: {0-47} for 48 numbers, {3-47:4} for
every fourth, {0-2,4} for single ones too; types are BF16 where none is stated.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.safetensors_header import DTYPE_BYTES
from tests.support.golden_checkpoint import copy_tokenizer

FOLDER = Path(__file__).parent / "real_configs"
_RANGES = re.compile(r"\{([\d,:-]+)\}")
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")


def real_models() -> list[str]:
    """Name the models, each a file of real_configs."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read_model(name: str) -> dict[str, Any]:
    """Read what is known of a model."""
    model: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return model


def write_hollow_checkpoint(model: Mapping[str, Any], folder: Path) -> Path:
    """Write config, tokenizer and one safetensors file that is a header and a hole; gives the folder."""
    folder.mkdir(parents=True)
    copy_tokenizer(model["tokenizer"], folder)
    (folder / "config.json").write_text(json.dumps(model["config"]), encoding="utf-8")
    write_hollow_weights(folder / "model.safetensors", all_tensors(model["tensors"]))
    return folder


def write_hollow_weights(path: Path, tensors: Iterable[tuple[str, str, Sequence[int]]]) -> None:
    """Write a safetensors file of tensors (name, dtype, shape) that is a header and a hole: every value is zero."""
    header, offset = {}, 0
    for name, dtype, shape in tensors:
        end = offset + math.prod(shape) * DTYPE_BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)


def all_tensors(tensors: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, str, list[int]]]:
    """Give (name, dtype, shape) of each tensor."""
    for pattern, stated in tensors.items():
        dtype, shape = stated if stated and isinstance(stated[0], str) else ("BF16", list(stated))
        for name in _names(pattern):
            yield name, dtype, shape


def _names(pattern: str) -> Iterator[str]:
    match = _RANGES.search(pattern)
    if match is None:
        yield pattern
        return
    for number in _numbers(match[1]):
        yield from _names(f"{pattern[: match.start()]}{number}{pattern[match.end() :]}")


def _numbers(ranges: str) -> Iterator[int]:
    for part in ranges.split(","):
        match = _RANGE.fullmatch(part)
        assert match, f"{part!r} is no range"
        yield from range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1))
