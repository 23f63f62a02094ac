"""The processor and main memory, as the operating system tells."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import psutil

from app.devices.values import Cpu, Memory

CPUINFO = Path("/proc/cpuinfo")


def read_cpu() -> Cpu:
    """Return the processor; cores are those this process may use."""
    logical = _usable_cores()
    physical = psutil.cpu_count(logical=False) or logical
    return Cpu(cpu_name(), min(physical, logical), logical)


def read_memory(bandwidth_bytes_per_s: int | None = None) -> Memory:
    """Return main memory as it is now."""
    memory = psutil.virtual_memory()
    return Memory(memory.total, memory.available, bandwidth_bytes_per_s)


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
