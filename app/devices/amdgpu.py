"""What Linux's amdgpu driver says of its cards, other programs' use included.

Source of the files: the kernel's Documentation/gpu/amdgpu/driver-misc.rst (mem_info_*) and the DRM's connectors.
"""

import platform
from pathlib import Path

from app.devices.hardware import pci_name, read_text
from app.devices.values import Card


def amd_cards(root: Path = Path("/")) -> tuple[Card, ...]:
    """Return the cards that amdgpu drives, by their PCI address; none on other systems. Reads files only."""
    devices = {folder.resolve(): folder.parent for folder in sorted((root / "sys/class/drm").glob("card*/device"))}
    return tuple(
        _card(device, drm, root) for device, drm in devices.items() if (device / "mem_info_vram_total").exists()
    )


def _card(device: Path, drm: Path, root: Path) -> Card:
    vram_total, vram_used = _pair(device, "vram")
    gtt_total, gtt_used = _pair(device, "gtt")
    return Card(
        vendor="amd",
        name=_name(device, root),
        pci_id=device.name,
        total_bytes=vram_total,
        free_bytes=max(0, vram_total - vram_used),
        driver=f"amdgpu {read_text(root / 'sys/module/amdgpu/version').strip() or platform.release()}",
        has_display=any(read_text(file).strip() == "connected" for file in drm.glob(f"{drm.name}-*/status")),
        used_by_others_bytes=vram_used,
        shared_total_bytes=gtt_total,
        shared_free_bytes=max(0, gtt_total - gtt_used),
    )


def _name(device: Path, root: Path) -> str:
    named = read_text(device / "product_name").strip()  # server cards only
    ids = (read_text(device / file).strip().removeprefix("0x") for file in ("vendor", "device"))
    return named or pci_name(root, *ids) or "AMD graphics card"


def _pair(device: Path, kind: str) -> tuple[int, int]:
    """Return total and used bytes of "vram" or "gtt"; the higher of two readings, 0 of 0 when there is none."""
    total = _number(device / f"mem_info_{kind}_total")
    used = max(_number(device / f"mem_info_{kind}_used") for _ in range(2))
    return total, used


def _number(file: Path) -> int:
    text = read_text(file).strip()
    return int(text) if text.isdigit() else 0
