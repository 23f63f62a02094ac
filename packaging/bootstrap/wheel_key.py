"""What a built engine depends on, and the key that is made of it.

ggml is compiled for the very CPU it is built on (GGML_NATIVE), so a wheel fits only where all of this is equal.
"""

import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backends import Backend, Nvcc

COMPILERS = ("c++", "g++", "clang++")
COMPILER_SETTINGS = (
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "CMAKE_GENERATOR",
    "CMAKE_TOOLCHAIN_FILE",
)
# Linux lists much beside instruction sets (caches, clocks, the hypervisor); these are what -march=native turns on.
X86_INSTRUCTIONS = re.compile(
    r"(ssse|sse|pni|avx|amx|bmi|fma|xsave|movdir|kl|sha|sm[34]|cmpccxadd)\w*"
    r"|aes|abm|adx|clflushopt|clwb|clzero|cldemote|cx16|f16c|fsgsbase|fxsr|gfni|lahf_lm|lwp|movbe|mmx|mwaitx|pclmulqdq|pku"
    r"|popcnt|3dnowprefetch|ptwrite|rdpid|rdrand|rdseed|serialize|tbm|tsxldtrk|vaes|vpclmulqdq|wbnoinvd|waitpkg|xop"
)


@dataclass(frozen=True)
class BuildFacts:
    """Everything that makes one build of the engine differ from another; Python's version is not among it.

    compiler is "" on a machine without one: a kept wheel serves there if all else is equal.
    """

    package: str
    backend: str
    cmake_flags: tuple[str, ...]
    compiler: str
    settings: tuple[str, ...]
    cuda: tuple[str, ...]
    cpu_features: tuple[str, ...]
    platform: str

    def key(self) -> str:
        """Name the wheel's folder: readable in front, a hash of everything behind."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.package.replace('==', '-')}-{self.backend}-{digest[:16]}"

    def serves(self, wanted: "BuildFacts") -> bool:
        """Tell whether a wheel with these facts can be used where others are wanted."""
        return wanted in (self, replace(self, compiler=""))


def from_json(text: str) -> BuildFacts | None:
    """Read facts back; None when the text is not what this version writes."""
    try:
        read = json.loads(text).items()
        fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in read}
        return BuildFacts(**fields)
    except (ValueError, TypeError, AttributeError):
        return None


def to_json(facts: BuildFacts) -> str:
    """Write facts as text."""
    return json.dumps(asdict(facts), indent=1)


def gather(package: str, backend: Backend, nvcc: Nvcc | None, cards: Sequence[str]) -> BuildFacts:
    """Look at this machine; cards are the PCI ids of its NVIDIA cards (their generation is compiled in)."""
    return BuildFacts(
        package=package,
        backend=backend.name,
        cmake_flags=cmake_flags(backend, os.environ),
        compiler=compiler_version(),
        settings=tuple(f"{name}={os.environ[name]}" for name in COMPILER_SETTINGS if os.environ.get(name)),
        cuda=(nvcc.release, *sorted(cards)) if nvcc and backend.name == "cuda" else (),
        cpu_features=cpu_features(),
        platform="-".join(filter(None, [platform.system(), platform.machine(), *platform.libc_ver()])).lower(),
    )


def cmake_flags(backend: Backend, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The backend's flags and those of the user's own CMAKE_ARGS behind them."""
    return (*backend.cmake_flags, *shlex.split(environment.get("CMAKE_ARGS", "")))


def compiler_version() -> str:
    """First line of the C++ compiler's --version; "" when none answers."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else COMPILERS
    for path in filter(None, map(shutil.which, names)):
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout:
            # Debian calls one compiler by several names (c++, g++): the name is no fact of the build.
            return re.sub(r"^\S+", "", done.stdout.splitlines()[0]).strip()
    return _microsoft_compiler() if os.name == "nt" else ""


def cpu_features() -> tuple[str, ...]:
    """Names of the instruction sets of this CPU, sorted."""
    if platform.system() == "Linux":
        return features_of(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    if platform.system() == "Darwin":
        names = ["machdep.cpu.brand_string", "machdep.cpu.features", "machdep.cpu.leaf7_features"]
        done = subprocess.run(["sysctl", "-n", *names], capture_output=True, text=True, check=False)
        return tuple(sorted(done.stdout.split()))
    return (platform.processor(),)


def features_of(cpuinfo: str) -> tuple[str, ...]:
    """Pick the instruction sets out of /proc/cpuinfo, x86 ("flags") or ARM ("Features" and the part's number)."""
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    if flags:
        return tuple(sorted({flag for flag in flags.group(1).split() if X86_INSTRUCTIONS.fullmatch(flag)}))
    arm = re.search(r"^Features\s*:(.*)$", cpuinfo, re.MULTILINE)
    parts = {f"part-{part}" for part in re.findall(r"^CPU part\s*:\s*(\S+)", cpuinfo, re.MULTILINE)}
    return tuple(sorted({*(arm.group(1).split() if arm else ()), *parts}))


def _microsoft_compiler() -> str:
    finder = Path(os.environ.get("PROGRAMFILES(X86)", "")) / "Microsoft Visual Studio/Installer/vswhere.exe"
    if not finder.exists():
        return ""
    command = [
        str(finder),
        "-latest",
        "-products",
        "*",
        "-requires",
        "Microsoft.VisualStudio.Component.VC.Tools.x86.x64",
    ]
    done = subprocess.run([*command, "-property", "installationVersion"], capture_output=True, text=True, check=False)
    return f"msvc {done.stdout.strip()}" if done.stdout.strip() else ""
