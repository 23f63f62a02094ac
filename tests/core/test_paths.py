"""Where data lies, and what happens when it can't."""

import os
from pathlib import Path

import pytest

from app.core.errors import NotEnoughDisk
from app.core.paths import Home, default_home


def test_pronk_home_wins() -> None:
    assert default_home({"PRONK_HOME": "/x/数据", "HOME": "/home/u"}, "linux").root == Path("/x/数据")


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/home/u"}, "/home/u/.local/share/pronk"),
        ("linux", {"HOME": "/home/u", "XDG_DATA_HOME": "/d"}, "/d/pronk"),
        ("darwin", {"HOME": "/Users/u"}, "/Users/u/Library/Application Support/Pronk"),
    ],
)
def test_default_home(platform: str, environ: dict[str, str], expected: str) -> None:
    assert default_home(environ, platform).root == Path(expected)


def test_prepare_makes_folders(tmp_path: Path) -> None:
    home = Home(tmp_path / "我的 模型").prepare()
    assert home.models.is_dir()
    assert home.logs.is_dir()


def test_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(NotEnoughDisk) as caught:
        Home(blocked / "pronk").prepare()
    assert str(blocked) in caught.value.message
    assert "PRONK_HOME" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_home(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotEnoughDisk):
        Home(tmp_path / "pronk").prepare()
