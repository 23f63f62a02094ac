"""Which graphics cards this computer has, whether or not the engine can use them.

Standard library only and no import of app: packaging/bootstrap loads this file by its path before anything is
installed, to choose a build and to name a card that the build cannot use.
"""

import json
import platform
import re
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

VENDORS = {"10de": "nvidia", "1002": "amd", "8086": "intel", "106b": "apple"}
# Kernel drivers that CUDA and Vulkan work with; nouveau and vfio-pci are none of them.
WORKING_DRIVERS = {"nvidia": {"nvidia"}, "amd": {"amdgpu"}, "intel": {"i915", "xe"}}
CUDA_LIBRARY = "libcuda.so.1"
CUDA_FOLDERS = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/lib/wsl/lib",
    "usr/local/nvidia/lib64",
    "run/opengl-driver/lib",
)
PCI_NAMES = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids")
QUERY_TIMEOUT_S = 20.0
NVIDIA_DRIVER_INSTALL = {
    "debian": "sudo apt-get install nvidia-driver",
    "ubuntu": "sudo ubuntu-drivers install",
    "fedora": "sudo dnf install akmod-nvidia",
    "arch": "sudo pacman -S nvidia",
}
CUDA_COMPILER_INSTALL = {
    "debian": "sudo apt-get install nvidia-cuda-toolkit",
    "ubuntu": "sudo apt-get install nvidia-cuda-toolkit",
    "fedora": "sudo dnf install cuda-toolkit",
    "arch": "sudo pacman -S cuda",
}


@dataclass(frozen=True)
class InstalledGpu:
    """One graphics card as the operating system shows it.

    pci_id is "vendor:device" in hex ("10de:2684"), empty where the system does not tell.
    has_driver: the driver that an engine needs is there (for NVIDIA the kernel module and libcuda.so.1).
    address: where it sits on the PCI bus ("0000:01:00.0"), empty where the system does not tell.
    """

    vendor: str
    pci_id: str
    name: str | None
    has_driver: bool
    address: str = field(default="", compare=False)

    @property
    def label(self) -> str:
        """The card in words: its name, else vendor and PCI id."""
        if self.name:
            return self.name
        maker = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel", "apple": "Apple"}.get(self.vendor, "Unknown")
        return f"{maker} graphics card" + (f" [{self.pci_id}]" if self.pci_id else "")


def installed_gpus(root: Path = Path("/"), system: str = "") -> tuple[InstalledGpu, ...]:
    """List the graphics cards of this computer; never raises, an unreadable system has none.

    root: where sys, proc, usr and etc are looked for (Linux); system: platform.system() unless given.
    """
    system = system or platform.system()
    if system == "Linux":
        return _linux_gpus(root)
    if system == "Darwin":
        return _mac_gpus()
    if system == "Windows":
        return _windows_gpus()
    return ()


def remedy(gpu: InstalledGpu, build_backends: Collection[str], distribution: str = "") -> str | None:
    """Say why the engine cannot use this card and the command that mends it; None when it can.

    build_backends: what the engine was built with ("cpu", "rpc", "cuda", "vulkan", "metal"; case does not matter).
    distribution: as linux_distribution() gives it. A card of no known vendor (a server's display chip) has no remedy.
    """
    usable = {
        "nvidia": {"cuda", "vulkan"},
        "amd": {"vulkan", "hip"},
        "intel": {"vulkan", "sycl"},
        "apple": {"metal"},
    }.get(gpu.vendor)
    if usable is None:
        return None
    if not gpu.has_driver:
        return f"{gpu.label} is not used: it has no working driver. {_driver_advice(gpu, distribution)}"
    if usable & {name.lower() for name in build_backends}:
        return None
    if gpu.vendor == "apple":
        return f"{gpu.label} is not used: the engine was built without Metal. Run: PRONK_BACKEND=metal make run"
    if gpu.vendor == "nvidia":
        compiler = CUDA_COMPILER_INSTALL.get(distribution)
        install = f"{compiler} && make run" if compiler else "install NVIDIA's CUDA toolkit (nvcc), then make run"
        return f"{gpu.label} is not used: the engine was built without CUDA. Run: {install}"
    return f"{gpu.label} is not used: the engine was built without Vulkan. Run: PRONK_BACKEND=vulkan make run"


def linux_distribution(root: Path = Path("/")) -> str:
    """Name the family of this Linux: debian, ubuntu, fedora, arch, or "" when it is another or no Linux."""
    fields: dict[str, str] = dict(
        re.findall(r'^(ID|ID_LIKE)="?([^"\n]*)"?$', read_text(root / "etc/os-release"), re.MULTILINE)
    )
    for name in [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]:
        if name in NVIDIA_DRIVER_INSTALL:
            return name
    return ""


def _driver_advice(gpu: InstalledGpu, distribution: str) -> str:
    if gpu.vendor == "nvidia":
        command = NVIDIA_DRIVER_INSTALL.get(distribution)
        return (
            f"Run: {command}, then restart."
            if command
            else "Install NVIDIA's driver (nvidia.com/drivers), then restart."
        )
    module = {"amd": "amdgpu", "intel": "i915"}.get(gpu.vendor, "")
    return f"Run: sudo modprobe {module}" if module else "Install the driver of its maker."


def _linux_gpus(root: Path) -> tuple[InstalledGpu, ...]:
    found = [
        _pci_gpu(device, root) for device in sorted(_children(root / "sys/bus/pci/devices")) if _is_display(device)
    ]
    if not any(gpu.vendor == "nvidia" for gpu in found) and (root / "usr/lib/wsl/lib" / CUDA_LIBRARY).exists():
        found.append(InstalledGpu("nvidia", "", "NVIDIA GPU of the Windows host", has_driver=True))
    return tuple(found)


def _is_display(device: Path) -> bool:
    return read_text(device / "class").startswith("0x03")


def _pci_gpu(device: Path, root: Path) -> InstalledGpu:
    vendor_id, device_id = (read_text(device / name).strip().removeprefix("0x") for name in ("vendor", "device"))
    vendor = VENDORS.get(vendor_id, "other")
    name = _nvidia_name(root, device.name) if vendor == "nvidia" else None
    return InstalledGpu(
        vendor=vendor,
        pci_id=f"{vendor_id}:{device_id}",
        name=name or pci_name(root, vendor_id, device_id),
        has_driver=_has_driver(root, vendor, device),
        address=device.name,
    )


def _has_driver(root: Path, vendor: str, device: Path) -> bool:
    link = device / "driver"
    bound = link.resolve().name if link.exists() else ""
    working = WORKING_DRIVERS.get(vendor)
    if working is None:
        return bool(bound)
    return bound in working and (vendor != "nvidia" or has_library(root, CUDA_LIBRARY))


def has_library(root: Path, library: str) -> bool:
    """Tell whether Linux's loader would find one of a driver's libraries (a container may have the card without it)."""
    if any((root / folder / library).exists() for folder in CUDA_FOLDERS):
        return True
    try:
        return library.encode() in (root / "etc/ld.so.cache").read_bytes()
    except OSError:
        return False


def _nvidia_name(root: Path, address: str) -> str | None:
    model = re.search(
        r"^Model:\s*(.+)$", read_text(root / "proc/driver/nvidia/gpus" / address / "information"), re.MULTILINE
    )
    return model.group(1).strip() if model else None


def pci_name(root: Path, vendor_id: str, device_id: str) -> str | None:
    """Look a card up in the pci.ids list that most Linux systems carry."""
    for path in PCI_NAMES:
        section = re.search(rf"^{vendor_id}  (.+)\n((?:[\t#].*\n|\n)*)", read_text(root / path), re.MULTILINE)
        device = section and re.search(rf"^\t{device_id}  (.+)$", section.group(2), re.MULTILINE)
        if section and device:
            return f"{section.group(1)} {device.group(1)}"
    return None


def _mac_gpus() -> tuple[InstalledGpu, ...]:
    report = _json_answer(["system_profiler", "-json", "SPDisplaysDataType"])
    cards = report.get("SPDisplaysDataType") if isinstance(report, Mapping) else None
    return tuple(_mac_gpu(card) for card in cards or () if isinstance(card, Mapping))


def _mac_gpu(card: Mapping[str, object]) -> InstalledGpu:
    name = str(card.get("sppci_model") or card.get("_name") or "")
    # Metal drives every card that macOS still supports, an Intel Mac's Radeon too.
    return InstalledGpu("apple", "", name or None, has_driver=True)


def _windows_gpus() -> tuple[InstalledGpu, ...]:
    command = (
        "Get-CimInstance Win32_VideoController | Select-Object Name,PNPDeviceID,ConfigManagerErrorCode | ConvertTo-Json"
    )
    answer = _json_answer(["powershell", "-NoProfile", "-NonInteractive", "-Command", command])
    cards = answer if isinstance(answer, list) else [answer]
    return tuple(_windows_gpu(card) for card in cards if isinstance(card, Mapping))


def _windows_gpu(card: Mapping[str, object]) -> InstalledGpu:
    ids = re.search(r"VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})", str(card.get("PNPDeviceID")), re.IGNORECASE)
    vendor_id, device_id = (ids.group(1).lower(), ids.group(2).lower()) if ids else ("", "")
    return InstalledGpu(
        vendor=VENDORS.get(vendor_id, "other"),
        pci_id=f"{vendor_id}:{device_id}" if ids else "",
        name=str(card.get("Name") or "") or None,
        has_driver=card.get("ConfigManagerErrorCode") == 0,
    )


def _json_answer(command: list[str]) -> object:
    try:
        done = subprocess.run(command, capture_output=True, timeout=QUERY_TIMEOUT_S, check=False)
        return json.loads(done.stdout or b"null")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def read_text(path: Path) -> str:
    """Return a small file's text, "" when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
