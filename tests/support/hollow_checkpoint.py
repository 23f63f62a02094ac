"""Writes checkpoints whose weights are a hole: a model of any size in a few kilobytes, good for dry runs."""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "U8": 1, "F8_E4M3": 1, "I32": 4, "I64": 8}
Spec = tuple[str, tuple[int, ...]]


def write_hollow_weights(path: Path, tensors: Mapping[str, Spec]) -> None:
    """Write a safetensors file of these dtypes and shapes; all values are zero and take no room on disk."""
    header, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + math.prod(shape) * ITEM_BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        file.truncate(8 + len(encoded) + end)
