"""Files are replaced whole or not at all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.core.errors import NotEnoughDisk
from app.core.files import require_disk, write_atomic
from app.core.settings import Settings, load_settings, save_settings


def test_write_atomic_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_many_may_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    texts = [str(number) * 50_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_atomic(path, text.encode()), texts * 4))
    assert path.read_text() in texts
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_require_disk_says_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughDisk, match=r"needs 9000000 TB; .* free"):
        require_disk(tmp_path, 9 * 10**18, "This model")


def test_settings_survive_junk(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert load_settings(path) == Settings()
    path.write_text('{"last_model": 7, "temperature": 0.1, "unknown": true}')
    assert load_settings(path) == Settings(temperature=0.1)
    save_settings(path, Settings(last_model="模型"))
    assert load_settings(path).last_model == "模型"
    path.write_text("{")
    assert load_settings(path) == Settings()
    assert path.with_name("settings.damaged.json").read_text() == "{"
