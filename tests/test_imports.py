"""The rule of imports: only the window needs Qt, only children need llama.cpp, nothing needs torch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BLOCKED_IMPORT = """
import importlib, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Block())
for name in {modules!r}:
    importlib.import_module(name)
"""


def modules_of(package: str) -> list[str]:
    """Return the names of all modules of a package, without importing them."""
    names = []
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__":
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def import_with_blocked(modules: list[str], blocked: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    script = BLOCKED_IMPORT.format(modules=modules, blocked=blocked)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_everything_but_the_window_imports_without_qt_and_llama() -> None:
    modules = [name for name in modules_of("app") if not name.startswith("app.gui")] + modules_of("converters")
    assert len(modules) > 60
    done = import_with_blocked(modules, ("PySide6", "llama_cpp", "qtawesome", "torch", "transformers"))
    assert done.returncode == 0, done.stderr


def test_the_window_imports_without_llama() -> None:
    done = import_with_blocked(modules_of("app.gui".replace(".", "/")), ("llama_cpp", "torch", "transformers"))
    assert done.returncode == 0, done.stderr


def test_the_block_blocks() -> None:
    assert import_with_blocked(["PySide6.QtCore"], ("PySide6",)).returncode != 0


@pytest.mark.parametrize("package", ["torch", "transformers", "diskcache"])
def test_not_installed(package: str) -> None:
    found = subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True, check=False)
    assert found.returncode != 0, f"{package} is in Pronk's environment"
