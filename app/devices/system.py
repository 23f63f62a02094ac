"""The processor and main memory, as the operating system tells."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from app.devices.hardware import read_text
from app.devices.values import Cpu, Memory

CPUINFO = Path("/proc/cpuinfo")


def read_cpu() -> Cpu:
    """Return the processor; cores are those this process may use."""
    logical = _usable_cores()
    physical = psutil.cpu_count(logical=False) or logical
    return Cpu(cpu_name(), min(physical, logical), logical)


def read_memory(bandwidth_bytes_per_s: int | None = None, root: Path = Path("/")) -> Memory:
    """Return main memory as it is now, no more than a container or a service manager allows this process."""
    memory = psutil.virtual_memory()
    total, available = memory.total, memory.available
    for limit, used in _group_limits(root):
        total, available = min(total, limit), min(available, max(0, limit - used))
    return Memory(total, available, bandwidth_bytes_per_s)


def _group_limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield (limit, bytes in use) of each Linux control group that this process is in, up to the topmost.

    Beyond a limit the kernel ends processes. Source: the kernel's cgroup-v2.rst and cgroup-v1/memory.rst.
    """
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / ("sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup")
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        # Inside a container the path may be the host's, of which only the top is shown.
        group = top / path.strip("/")
        for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(top))):
            limit, used = (read_text(folder / name).strip() for name in names)
            if limit.isdecimal() and used.isdecimal():
                yield int(limit), max(0, int(used) - _reclaimable(read_text(folder / "memory.stat")))


def _reclaimable(stat: str) -> int:
    """Return the bytes of files in memory that a group's figures hold and that the kernel gives up first."""
    found = dict(re.findall(r"^((?:total_)?(?:in)?active_file) (\d+)$", stat, re.MULTILINE))
    prefix = "total_" if "total_active_file" in found else ""
    return sum(int(found.get(f"{prefix}{name}", 0)) for name in ("active_file", "inactive_file"))


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    """Return the processor's name as its maker writes it, "unknown processor" when nothing tells."""
    if sys.platform == "win32":
        name = _windows_name()
    elif sys.platform == "darwin":
        name = _mac_name()
    else:
        name = _linux_name(cpuinfo)
    return " ".join((name or platform.processor() or platform.machine() or "unknown processor").split())


def _linux_name(cpuinfo: Path) -> str:
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # x86 says "model name"; some Arm boards "Model" or "Hardware".
    match = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1] if match else ""


def _mac_name() -> str:
    try:
        done = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _windows_name() -> str:
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
        except OSError:
            return ""
    return ""
