"""A tiny source package that real pip builds in a second, in place of the engine's five minutes."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from wheel_key import BuildFacts

BACKEND = """
import os, pathlib, subprocess, sys, time, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open(os.environ["TINY_BUILDS"], "a") as builds:
        builds.write(os.environ["CMAKE_ARGS"] + "\\n")
    pathlib.Path(os.environ["TINY_BUILDS"] + ".pid").write_text(str(os.getpid()))
    {action}
    name = "tiny-1.0-py3-none-any.whl"
    files = {{
        "tiny.py": "FLAGS = " + repr(os.environ["CMAKE_ARGS"]),
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    record = "".join(f"{{file}},,\\n" for file in [*files, "tiny-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w") as wheel:
        for file, text in {{**files, "tiny-1.0.dist-info/RECORD": record}}.items():
            wheel.writestr(file, text)
    return name
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
FACTS = BuildFacts(
    package="tiny==1.0",
    backend="cpu",
    cmake_flags=("-DGGML_RPC=ON",),
    compiler="(Debian 12.2.0) 12.2.0",
    settings=(),
    cuda=(),
    cpu_features=("avx", "avx2", "fma"),
    platform="linux-x86_64-glibc-2.36",
)


@pytest.fixture
def facts() -> BuildFacts:
    """Facts of the tiny package's build."""
    return FACTS


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Tell which builds have run so far: the flags of each."""
    path = tmp_path / "builds"
    path.touch()
    monkeypatch.setenv("TINY_BUILDS", str(path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
    return lambda: path.read_text().splitlines()


@pytest.fixture
def tiny_source(tmp_path: Path, builds: object) -> Callable[..., str]:
    """Make the source archive of a package that does `action` while it is built."""

    def make(action: str = "pass") -> str:
        path = tmp_path / "tiny-1.0.tar.gz"
        files = {"pyproject.toml": PYPROJECT, "PKG-INFO": METADATA, "backend.py": BACKEND.format(action=action)}
        with tarfile.open(path, "w:gz") as archive:
            for name, text in files.items():
                entry = tarfile.TarInfo(f"tiny-1.0/{name}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        return str(path)

    return make
