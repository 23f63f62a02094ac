"""The engine's half of set-up: choose a build, take the kept wheel or build it, install it, see it load."""

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import backends
import project
import system_pieces
import wheel_cache
import wheel_key
from backends import Backend, Nvcc
from console import SetupError, say
from environment import Environment
from system_pieces import Piece
from wheel_key import BuildFacts

STEP = "engine"
CHOICE = "pronk-backend"
LOAD = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
LIBRARY_NAMES = {"Darwin": "libllama.dylib", "Windows": "llama.dll"}


@dataclass(frozen=True)
class Machine:
    """What decides over the build: the backend chosen, the CUDA compiler and the cards."""

    backend: Backend
    nvcc: Nvcc | None
    nvidia_ids: tuple[str, ...]
    wanted: str  # the user's own choice of backend, "" when there is none
    remedies: tuple[str, ...]  # one sentence for each card that this build cannot use


def wanted_backend(environment: Environment) -> str:
    """The backend that PRONK_BACKEND asks for, or asked for when .venv was last set up; "" to choose by the machine."""
    chosen = environment.folder / CHOICE
    wanted = os.environ.get("PRONK_BACKEND") or (chosen.read_text(encoding="utf-8") if chosen.exists() else "")
    return "" if wanted.lower() == "auto" else wanted


def look_at_machine(wanted: str) -> Machine:
    """Find cards and compilers and choose the backend; wanted is its name, "" to choose by what is found."""
    hardware: ModuleType = project.load_hardware()
    gpus, nvcc = hardware.installed_gpus(), backends.find_nvcc()
    backend = backends.choose(wanted, platform.system(), gpus, nvcc)
    distribution = hardware.linux_distribution()
    remedies = [hardware.remedy(gpu, {backend.name}, distribution) for gpu in gpus]
    ids = tuple(gpu.pci_id for gpu in gpus if gpu.vendor == "nvidia")
    return Machine(backend, nvcc, ids, wanted, tuple(filter(None, remedies)))


def facts(machine: Machine) -> BuildFacts:
    """What a wheel for this machine has to match."""
    return wheel_key.gather(project.ENGINE, machine.backend, machine.nvcc, machine.nvidia_ids)


def wheel_folders() -> list[Path]:
    """Folders that may hold built wheels, best first."""
    return wheel_cache.candidates(dict(os.environ), Path.home(), project.ROOT)


def build_pieces(environment: Environment, machine: Machine) -> list[Piece]:
    """What a build needs of the system; nothing when the engine is installed or kept."""
    wanted = facts(machine)
    if _is_installed(environment, wanted) or wheel_cache.find(wheel_folders(), wanted):
        return []
    return [system_pieces.compiler(), *(system_pieces.vulkan_tools() if machine.backend.name == "vulkan" else [])]


def install(environment: Environment, machine: Machine) -> None:
    """Install the engine for this machine; nothing happens when the right one is there."""
    wanted = facts(machine)
    if not _is_installed(environment, wanted):
        _install(environment, machine, wanted)
    (environment.folder / CHOICE).write_text(machine.wanted, encoding="utf-8")


def _install(environment: Environment, machine: Machine, wanted: BuildFacts) -> None:
    say(f"  engine for {machine.backend.reason}")
    wheel = wheel_cache.find(wheel_folders(), wanted) or _build(environment, machine)
    made = wheel_cache.facts_of(wheel)
    arguments = ["--no-deps", "--no-index", "--force-reinstall", str(wheel)]
    environment.install(
        STEP, wheel_key.to_json(made or wanted), f"{project.ENGINE} ({machine.backend.name})", arguments
    )
    try:
        _see_it_load(environment, wheel)
    except SetupError:
        environment.forget(STEP)
        raise


def _is_installed(environment: Environment, wanted: BuildFacts) -> bool:
    there = wheel_key.from_json(environment.fingerprint(STEP))
    return there is not None and there.serves(wanted)


def _build(environment: Environment, machine: Machine) -> Path:
    folder = wheel_cache.writable(wheel_folders())
    say(f"  no kept build of it in {folder}: building, about 5 minutes on 2 cores (CUDA takes an hour)")
    return wheel_cache.build(folder, facts(machine), environment.python, project.ENGINE)


def _see_it_load(environment: Environment, wheel: Path) -> None:
    """Load the library in a child; install a system library that the loader misses and try once more."""
    answer = _load(environment)
    missing = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object", answer)
    if missing and missing.group(1) in system_pieces.ENGINE_LIBRARIES:
        soname = missing.group(1)
        system_pieces.ensure(system_pieces.libraries({soname: system_pieces.ENGINE_LIBRARIES[soname]}))
        answer = _load(environment)
    if answer:
        raise SetupError(
            f"The engine was installed but does not load: {answer}\nTo build it anew: rm -r '{wheel.parent}'"
        )


def _load(environment: Environment) -> str:
    """Load the engine's library; "" when that went well, else the reason."""
    library = environment.site_packages / "llama_cpp" / "lib" / LIBRARY_NAMES.get(platform.system(), "libllama.so")
    command = [str(environment.python), "-c", LOAD, str(library)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"loading ended with code {done.returncode} (an engine built for another CPU?)"
