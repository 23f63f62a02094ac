"""Keep built engines: look one up by its facts, or build it once and keep it.

One folder per key: KEY/facts.json and KEY/*.whl. A build happens in KEY.building and is renamed when whole, under
KEY.lock; its output stays in KEY.log.
"""

import os
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import locks
import wheel_key
from console import SetupError
from processes import run_logged
from wheel_key import BuildFacts

MEMORY_PER_COMPILER_BYTES = 1_500_000_000


def candidates(environment: dict[str, str], home: Path, repository: Path) -> list[Path]:
    """Folders for wheels, best first: PRONK_WHEELS, the user's cache, the repository (for a home that is read-only)."""
    cache = environment.get("XDG_CACHE_HOME", "")
    own = environment.get("PRONK_WHEELS", "")
    places = [Path(own)] if own else []
    places.append((Path(cache) if cache else home / ".cache") / "pronk" / "wheels")
    places.append(repository / ".cache" / "wheels")
    return [place.expanduser().absolute() for place in places]


def writable(folders: Sequence[Path]) -> Path:
    """The first folder that can be written to; made when missing."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    raise SetupError(
        f"No folder for the built engine: cannot write to {', '.join(map(str, folders))}. "
        "Name one: PRONK_WHEELS=DIR make run"
    )


def find(folders: Sequence[Path], wanted: BuildFacts) -> Path | None:
    """Find a kept wheel that serves; the exact key first, then one made by a compiler that is not here any more."""
    for folder in folders:
        exact = _wheel_in(folder / wanted.key())
        if exact:
            return exact
    if wanted.compiler:
        return None
    kept = [facts_file.parent for folder in folders for facts_file in sorted(folder.glob("*/facts.json"))]
    return next((wheel for entry in kept if _serves(entry, wanted) and (wheel := _wheel_in(entry))), None)


def facts_of(wheel: Path) -> BuildFacts | None:
    """Facts of a kept wheel."""
    return wheel_key.from_json((wheel.parent / "facts.json").read_text(encoding="utf-8"))


def build(folder: Path, facts: BuildFacts, python: Path, source: str) -> Path:
    """Build the wheel of source (a pip requirement or a source archive) and keep it; a parallel build is waited for.

    Raises SetupError with the build's own cause. Whatever happens, no half wheel is left under the key.
    """
    entry = folder / facts.key()
    with locks.held(folder / f"{entry.name}.lock", "building the engine"):
        done = _wheel_in(entry)
        if done:
            return done
        work = folder / f"{entry.name}.building"
        shutil.rmtree(work, ignore_errors=True)
        try:
            _build_in(work, facts, python, source, folder / f"{entry.name}.log")
            shutil.rmtree(entry, ignore_errors=True)
            (work / "wheel").rename(entry)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    wheel = _wheel_in(entry)
    assert wheel is not None
    return wheel


def keep(folder: Path, facts: BuildFacts, wheel: Path) -> Path:
    """Put a wheel that was built elsewhere with these very facts into the cache."""
    entry = folder / facts.key()
    lock = locks.held(folder / f"{entry.name}.lock", "building the engine")
    with lock, tempfile.TemporaryDirectory(dir=folder, suffix=".building") as work:
        whole = Path(work) / "wheel"
        whole.mkdir()
        shutil.copy2(wheel, whole)
        (whole / "facts.json").write_text(wheel_key.to_json(facts), encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)
        whole.rename(entry)
    return entry / wheel.name


def parallel_compilers(memory_bytes: int, cores: int) -> int:
    """How many compilers may run at once: one a core, while each has 1.5 GB."""
    return max(1, min(cores, memory_bytes // MEMORY_PER_COMPILER_BYTES))


def _build_in(work: Path, facts: BuildFacts, python: Path, source: str, log: Path) -> None:
    result, temporary = work / "wheel", work / "tmp"
    result.mkdir(parents=True)
    temporary.mkdir()
    name = facts.package.partition("==")[0]
    # pip's own cache knows a wheel by its name alone and would hand out one that was built with other flags.
    options = ["-v", "--no-cache-dir", "--no-deps", "--no-binary", name, "-w", str(result)]
    command = [str(python), "-m", "pip", "wheel", *options, source]
    environment = {"CMAKE_ARGS": shlex.join(facts.cmake_flags), "TMPDIR": str(temporary)}
    if "CMAKE_BUILD_PARALLEL_LEVEL" not in os.environ:
        environment["CMAKE_BUILD_PARALLEL_LEVEL"] = str(parallel_compilers(_free_memory_bytes(), os.cpu_count() or 1))
    run_logged(f"building the engine ({facts.backend})", command, log, environment)
    if not list(result.glob("*.whl")):
        raise SetupError(f"Building the engine ended without a wheel. Full log: {log}")
    (result / "facts.json").write_text(wheel_key.to_json(facts), encoding="utf-8")


def _wheel_in(entry: Path) -> Path | None:
    return next(iter(sorted(entry.glob("*.whl"))), None) if (entry / "facts.json").is_file() else None


def _serves(entry: Path, wanted: BuildFacts) -> bool:
    facts = wheel_key.from_json((entry / "facts.json").read_text(encoding="utf-8"))
    return facts is not None and facts.serves(wanted)


def _free_memory_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return (os.cpu_count() or 1) * MEMORY_PER_COMPILER_BYTES
