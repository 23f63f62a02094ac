"""What the system lacks is found by trying it and named in one line."""

import importlib.util
import sys
from pathlib import Path

import pytest
import system_pieces
from console import SetupError
from system_pieces import Piece

COMPILER = Piece("a C++ compiler", "g++", lambda: False, "gcc-c++")
CURSOR = Piece("libxcb-cursor.so.0", "libxcb-cursor0", lambda: False)
THERE = Piece("libc.so.6", "libc6", lambda: True)


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "Run: sudo apt-get install g++ libxcb-cursor0"),
        ("dnf", "Run: sudo dnf install gcc-c++ 'libxcb-cursor.so.0()(64bit)'"),
        ("xcode-select", "Run: xcode-select --install"),
        ("winget", "Run: winget install Microsoft.VisualStudio.2022.BuildTools"),
        ("", "with your system's package manager"),
    ],
)
def test_missing_pieces_are_one_line_with_the_command(manager: str, command: str) -> None:
    sentence = system_pieces.install_sentence([COMPILER, CURSOR], manager)
    assert sentence.startswith("Missing on this system: a C++ compiler, libxcb-cursor.so.0.")
    assert command in sentence
    assert "\n" not in sentence


def test_who_is_not_root_gets_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_pieces, "can_install", lambda: False)
    system_pieces.ensure([THERE])
    with pytest.raises(SetupError, match=r"^Missing on this system: a C\+\+ compiler\. "):
        system_pieces.ensure([THERE, COMPILER])


def test_what_one_can_do_without_is_mentioned_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system_pieces, "can_install", lambda: False)
    system_pieces.suggest(THERE)
    assert capsys.readouterr().out == ""
    system_pieces.suggest(CURSOR)
    assert "libxcb-cursor.so.0" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="Linux libraries")
def test_libraries_are_found_by_loading_them() -> None:
    assert system_pieces.can_load("libc.so.6")
    assert not system_pieces.can_load("libno-such-thing.so.9")
    first, second = system_pieces.libraries({"libc.so.6": "libc6", "libno-such-thing.so.9": "none"})
    assert first.is_present()
    assert not second.is_present()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux libraries")
def test_session_decides_which_libraries_qt_needs() -> None:
    def names(**session: str) -> set[str]:
        return {piece.what for piece in system_pieces.window_libraries(session)}

    assert "libEGL.so.1" in names()
    assert "libxcb-cursor.so.0" not in names()
    assert "libxcb-cursor.so.0" in names(DISPLAY=":0")
    assert "libwayland-client.so.0" in names(WAYLAND_DISPLAY="wayland-0")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux libraries")
def test_list_holds_all_that_the_installed_qt_links_to() -> None:
    """Compare with what the wheel's own files ask for, so that a newer PySide6 cannot outgrow the list unseen."""
    spec = importlib.util.find_spec("PySide6")
    assert spec is not None
    assert spec.origin is not None
    qt = Path(spec.origin).parent
    files = [qt / f"Qt/lib/libQt6{part}.so.6" for part in ("Core", "Gui", "Widgets", "DBus", "Network", "XcbQpa")]
    files += [qt / "Qt/plugins/platforms" / f"lib{name}.so" for name in ("qxcb", "qoffscreen", "qwayland")]
    listed = system_pieces.QT_LIBRARIES | system_pieces.X11_LIBRARIES | system_pieces.WAYLAND_LIBRARIES
    carried = {path.name for path in (qt / "Qt/lib").iterdir()}
    # Part of every Linux, or come with a library of the list (libbrotlicommon, libxcb, libgthread).
    known = ("libc.", "libm.", "libdl.", "libpthread.", "librt.", "libgcc_s.", "libstdc++.", "ld-linux", "libresolv.")
    known += ("libbrotlicommon.", "libxcb.so", "libgthread-2.0.")
    needed = {name for file in files for name in needed_libraries(file)}
    assert needed
    assert not {name for name in needed - set(listed) - carried if not name.startswith(known)}


def needed_libraries(path: Path) -> set[str]:
    """Read the DT_NEEDED names of a 64-bit little-endian ELF file."""
    data = path.read_bytes()

    def integer(offset: int, size: int) -> int:
        return int.from_bytes(data[offset : offset + size], "little")

    headers = [integer(32, 8) + index * integer(54, 2) for index in range(integer(56, 2))]
    loaded = [(integer(h + 16, 8), integer(h + 8, 8), integer(h + 32, 8)) for h in headers if integer(h, 4) == 1]
    dynamic = next(h for h in headers if integer(h, 4) == 2)
    start, size = integer(dynamic + 8, 8), integer(dynamic + 32, 8)
    entries = [(integer(at, 8), integer(at + 8, 8)) for at in range(start, start + size, 16)]
    strings = next(value for tag, value in entries if tag == 5)
    base = next(strings - address + offset for address, offset, length in loaded if 0 <= strings - address < length)
    return {data[base + v : data.index(b"\0", base + v)].decode() for tag, v in entries if tag == 1}
