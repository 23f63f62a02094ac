"""Says of a GGUF file what a golden keeps: each tensor's name, type, shape and hash, and all metadata."""

import hashlib
import json
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.support.gguf_file import GgufFile, read_gguf

MAX_ITEMS = 32


def result_of(path: Path) -> dict[str, Any]:
    """Give the golden form of a file, tensors by name: {"tensors": [...], "metadata": {key: [type, value]}}."""
    file = read_gguf(path)
    tensors = [_tensor(file, name) for name in sorted(file.tensors)]
    metadata = {key: [file.value_types[key], short(value)] for key, value in sorted(file.metadata.items())}
    return {"tensors": tensors, "metadata": metadata}


def _tensor(file: GgufFile, name: str) -> dict[str, Any]:
    tensor = file.tensors[name]
    digest = hashlib.sha256(file.data(name)).hexdigest()
    return {"name": name, "type": tensor.type.name, "shape": list(tensor.shape), "sha256": digest}


def short(value: Any) -> Any:
    """Give the value, or of a long list its length and its runs [value, count], or else the hash of its JSON."""
    if not isinstance(value, list) or len(value) <= MAX_ITEMS:
        return value
    runs = [[item, len(list(same))] for item, same in groupby(value)]
    if len(runs) <= MAX_ITEMS:
        return {"length": len(value), "runs": runs}
    encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return {"length": len(value), "sha256": hashlib.sha256(encoded).hexdigest()}
