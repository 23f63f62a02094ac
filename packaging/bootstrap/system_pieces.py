"""The pieces that only the operating system can give.

Found by trying them; installed when root on Debian, else named in one line.
"""

import ctypes
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import project
import wheel_key
from console import SetupError, say, step
from processes import run_logged

# What PySide6 6.11's wheels need and do not carry (readelf -d), with Debian's names.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libbrotlidec.so.1": "libbrotli1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
}
X11_LIBRARIES = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
WAYLAND_LIBRARIES = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
}
ENGINE_LIBRARIES = {"libgomp.so.1": "libgomp1", "libstdc++.so.6": "libstdc++6", "libvulkan.so.1": "libvulkan1"}
# Part of the file names of the usual fonts with Chinese, Japanese and Korean letters.
CJK_FONTS = ("cjk", "wqy", "notosanssc", "droidsansfallback", "sourcehan", "uming", "ukai", "unifont")


@dataclass(frozen=True)
class Piece:
    """One thing the system has to have: in words, Debian's package, and how to see that it is there."""

    what: str
    package: str
    is_present: Callable[[], bool]
    other_package: str = ""  # its name in Fedora, where a library's soname serves as well

    @property
    def fedora_package(self) -> str:
        """Name for dnf, which finds a library by its soname."""
        return self.other_package or f"'{self.what}()(64bit)'"


def compiler() -> Piece:
    """A C++ compiler that answers."""
    return Piece("a C++ compiler", "g++", lambda: bool(wheel_key.compiler_version()), "gcc-c++")


def virtual_environments() -> Piece:
    """The half of Python's venv that Debian packs apart."""
    return Piece(
        "python3-venv", "python3-venv", lambda: importlib.util.find_spec("ensurepip") is not None, "python3-pip"
    )


def cjk_font() -> Piece:
    """A font with Chinese letters."""
    return Piece("a font with Chinese letters", "fonts-noto-cjk", has_cjk_font, "google-noto-sans-cjk-fonts")


def vulkan_tools() -> list[Piece]:
    """What a Vulkan build needs beside the compiler."""
    return [
        Piece("glslc", "glslc", lambda: shutil.which("glslc") is not None, "glslc"),
        Piece(
            "Vulkan's headers", "libvulkan-dev", lambda: Path("/usr/include/vulkan/vulkan.h").exists(), "vulkan-headers"
        ),
    ]


def libraries(names: Mapping[str, str]) -> list[Piece]:
    """Shared libraries by soname, each with its Debian package."""
    return [Piece(soname, package, partial(can_load, soname)) for soname, package in names.items()]


def window_libraries(environment: Mapping[str, str]) -> list[Piece]:
    """Qt's libraries for this session: offscreen always, X11 or Wayland as the session has them."""
    if platform.system() != "Linux":
        return []
    wanted = dict(QT_LIBRARIES)
    if environment.get("DISPLAY"):
        wanted |= X11_LIBRARIES
    if environment.get("WAYLAND_DISPLAY"):
        wanted |= WAYLAND_LIBRARIES
    return libraries(wanted)


def can_load(soname: str) -> bool:
    """Try a shared library."""
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def has_cjk_font() -> bool:
    """Look for the file of a usual CJK font; other systems than Linux carry one."""
    if platform.system() != "Linux":
        return True
    folders = [
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        Path.home() / ".local/share/fonts",
        Path.home() / ".fonts",
    ]
    names = (file.lower() for folder in folders for _, _, files in os.walk(folder) for file in files)
    return any(part in name for name in names for part in CJK_FONTS)


def ensure(pieces: Iterable[Piece]) -> None:
    """Have every piece, or raise SetupError with one line that names what is missing and the command for it."""
    missing = [piece for piece in pieces if not piece.is_present()]
    if not missing:
        return
    if not can_install():
        raise SetupError(install_sentence(missing, package_manager()))
    _apt_install([piece.package for piece in missing])
    still = [piece for piece in missing if not piece.is_present()]
    if still:
        raise SetupError(
            f"Installed {', '.join(p.package for p in still)}, but still missing: {', '.join(p.what for p in still)}."
        )


def suggest(piece: Piece) -> None:
    """Have a piece that Pronk can do without: install it when root on Debian, else mention it."""
    if piece.is_present():
        return
    try:
        ensure([piece])
    except SetupError as error:
        say(f"  {str(error).splitlines()[0]}")


def can_install() -> bool:
    """Tell whether packages may be installed here without asking anybody: root on Debian or Ubuntu."""
    return package_manager() == "apt-get" and os.geteuid() == 0


def package_manager() -> str:
    """Name the system's package manager: apt-get, dnf, xcode-select, winget, or "" for another."""
    if platform.system() == "Darwin":
        return "xcode-select"
    if platform.system() == "Windows":
        return "winget"
    return next((name for name in ("apt-get", "dnf") if shutil.which(name)), "")


def install_sentence(missing: Sequence[Piece], manager: str) -> str:
    """One line: what is missing and the exact command that installs it."""
    names = ", ".join(piece.what for piece in missing)
    commands = {
        "apt-get": "sudo apt-get install " + " ".join(unique(piece.package for piece in missing)),
        "dnf": "sudo dnf install " + " ".join(unique(piece.fedora_package for piece in missing)),
        "xcode-select": "xcode-select --install",
        "winget": "winget install Microsoft.VisualStudio.2022.BuildTools --override "
        '"--wait --passive --add Microsoft.VisualStudio.Workload.VCTools"',
    }
    if manager in commands:
        return f"Missing on this system: {names}. Run: {commands[manager]}"
    return f"Missing on this system: {names}. Install them with your system's package manager, then run this again."


def unique(names: Iterable[str]) -> list[str]:
    """Drop repeated names, keep the order."""
    return list(dict.fromkeys(names))


def _apt_install(packages: Sequence[str]) -> None:
    wanted = unique(packages)
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    options = ["-o", "DPkg::Lock::Timeout=120", "-q"]
    with step(
        f"system packages: {len(wanted)} ({' '.join(wanted)[:32]}…)"
        if len(wanted) > 3
        else f"system packages: {' '.join(wanted)}"
    ):
        run_logged("apt-get update", ["apt-get", *options, "update"], project.LOGS / "apt-update.log", environment)
        install = ["apt-get", *options, "install", "-y", "--no-install-recommends", *wanted]
        run_logged("installing system packages", install, project.LOGS / "apt-install.log", environment)
