"""What a golden is made of: a tiny config, a tokenizer, and how the checkpoint's tensors get their names."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES_FOLDER = Path(__file__).parent / "cases"
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Case:
    """One tiny checkpoint. config is config.json as a repository has it, with architectures and model_type.

    Tensor names and shapes are those that the HF class of transformers saves for this config: that of
    architectures[0], or hf_class. rename may change them to the form that repositories have; tensors states them
    by hand where transformers has no such class; extra adds to any of these. dtypes and values map regular
    expressions of whole names to a dtype (else dtype) and to a kind of values (tests/support/golden_checkpoint.py);
    the first that matches wins. pre: the tokenizer.ggml.pre that the reference writes; its own table of hashes does
    not know a tiny tokenizer. files: more files, as text or JSON; they replace the tokenizer fixture's. folder: the
    checkpoint's name. options: more of the reference's command line. stated_config: the reference reads config.json as
    it is, without the defaults that the HF class of its transformers fills in.
    """

    config: Mapping[str, Any]
    tokenizer: str = "bpe"
    pre: str = "qwen2"
    hf_class: str = ""
    dtype: str = "BF16"
    dtypes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    tensors: Shapes | None = None
    rename: Callable[[Shapes], Shapes] | None = None
    extra: Shapes = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    shards: int = 1
    options: tuple[str, ...] = ()
    stated_config: bool = False

    def checkpoint(self, name: str, shapes: Shapes) -> dict[str, Any]:
        """Give the golden's description of the checkpoint, from which tests rebuild it."""
        return {
            "folder": self.folder or f"tiny-{name}",
            "tokenizer": self.tokenizer,
            "shards": self.shards,
            "config": dict(self.config),
            "files": dict(self.files),
            "tensors": {name: self._spec(name, shape) for name, shape in sorted(shapes.items())},
        }

    def _spec(self, name: str, shape: tuple[int, ...]) -> list[Any]:
        dtype = _first(self.dtypes, name, self.dtype)
        kind = _first(self.values, name, "")
        return [dtype, list(shape), kind] if kind else [dtype, list(shape)]


def _first(table: Mapping[str, str], name: str, default: str) -> str:
    return next((value for pattern, value in table.items() if re.fullmatch(pattern, name)), default)


def all_cases() -> dict[str, Case]:
    """Give every case by its name, of all modules in cases/."""
    cases: dict[str, Case] = {}
    for module in pkgutil.iter_modules([str(CASES_FOLDER)]):
        found: dict[str, Case] = importlib.import_module(f"tests.goldens.cases.{module.name}").CASES
        if again := cases.keys() & found.keys():
            raise ValueError(f"{module.name}.py names {sorted(again)} again")
        cases |= found
    return cases
