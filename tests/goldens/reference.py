"""Runs the reference: transformers for the names of a checkpoint's tensors, llama.cpp's converter for the file.

Nothing of the suite imports this module: it needs the reference environment (README.md).
"""

import json
import logging
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.goldens.case import Case
from tests.goldens.result import result_of
from tests.support.golden_checkpoint import build_checkpoint, copy_tokenizer

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", CUDA_VISIBLE_DEVICES="", TQDM_DISABLE="1")


def make(name: str, case: Case, llama_cpp: Path, parent: Path) -> str:
    """Build one checkpoint, convert it, and give the golden's text."""
    shapes = case.tensors if case.tensors is not None else saved_shapes(case)
    shapes = case.rename(shapes) if case.rename else shapes
    checkpoint = case.checkpoint(name, {**shapes, **case.extra})
    folder = build_checkpoint(checkpoint, parent)
    path = parent / f"{name}.gguf"
    convert(folder, path, case)
    golden = {"upstream": _upstream(llama_cpp), "checkpoint": checkpoint, "result": result_of(path)}
    return text_of(golden)


def saved_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Give names and shapes of the tensors that the HF class's save_pretrained writes for this config."""
    import transformers  # noqa: TID251  (reference environment only)

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(case.config), encoding="utf-8")
        copy_tokenizer(case.tokenizer, Path(folder))
        config = transformers.AutoConfig.from_pretrained(folder)
        hf_class = getattr(transformers, case.hf_class or case.config["architectures"][0])
        hf_class(config).save_pretrained(Path(folder) / "saved")
        return _header_shapes(Path(folder) / "saved")


def _header_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        shapes |= {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    return shapes


def convert(folder: Path, output: Path, case: Case) -> None:
    """Run llama.cpp's converter in this process, with the name of the pre-tokenizer given."""
    base, script = import_module("conversion.base"), import_module("convert_hf_to_gguf")
    base.TextModel.get_vocab_base_pre = lambda *_: case.pre
    auto_config = import_module("transformers").AutoConfig
    base.AutoConfig = None if case.stated_config else auto_config  # without it, it reads the file itself
    logging.disable(logging.INFO)
    arguments = sys.argv
    sys.argv = ["convert_hf_to_gguf.py", str(folder), "--outfile", str(output), "--outtype", "auto", *case.options]
    try:
        script.main()
    finally:
        sys.argv = arguments


def _upstream(llama_cpp: Path) -> dict[str, str]:
    commit = subprocess.run(
        ["git", "-C", str(llama_cpp), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    packages = {name: version(name) for name in ("torch", "transformers")}
    return {"llama.cpp": commit.stdout.strip(), **packages}


def text_of(golden: Mapping[str, Any]) -> str:
    """Write JSON with one tensor, one metadata key and one config key a line."""
    checkpoint, result = golden["checkpoint"], golden["result"]
    rows = {key: _compact(value) for key, value in checkpoint.items()}
    rows |= {key: _lines(checkpoint[key], "   ") for key in ("config", "files", "tensors")}
    tensors = ",\n".join(f"   {_compact(tensor)}" for tensor in result["tensors"])
    parts = [
        f' "upstream": {_compact(golden["upstream"])}',
        ' "checkpoint": {\n' + ",\n".join(f"  {_compact(key)}: {row}" for key, row in rows.items()) + "\n }",
        f' "result": {{\n  "metadata": {_lines(result["metadata"], "   ")},\n  "tensors": [\n{tensors}\n  ]\n }}',
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(values: Mapping[str, Any], indent: str) -> str:
    rows = ",\n".join(f"{indent}{_compact(key)}: {_compact(value)}" for key, value in values.items())
    return f"{{\n{rows}\n{indent[1:]}}}" if rows else "{}"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
