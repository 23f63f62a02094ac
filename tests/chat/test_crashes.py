"""What was stored is there after any kill, and a file that was hit is recovered or told about."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from app.chat.recovery import finish_interrupted
from app.chat.store import ChatStore
from app.core.errors import Busy
from app.core.paths import Home
from tests.support.chat_writer import text_of
from tests.support.counts import counted

Told = dict[int, tuple[int, int]]  # message id -> its number and how much of its text was acknowledged


@contextmanager
def writer(path: Path, first_number: int = 0) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.support.chat_writer", str(path), str(first_number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def listen(process: subprocess.Popen[str], told: Told, n_lines: int | None = None) -> None:
    """Note what the writer acknowledges: `n_lines` of it, or all that is left after its end."""
    assert process.stdout is not None
    for count, line in enumerate(process.stdout, start=1):
        if line.endswith("\n"):
            note = json.loads(line)
            told[note["id"]] = (note["number"], note["length"])
        if count == n_lines:
            return


def assert_all_there(path: Path, told: Told) -> None:
    with ChatStore.open(path) as store:
        assert store.notice == ""
        for message_id, (number, length) in told.items():
            message = store.message(message_id)
            assert message.text.startswith(text_of(number, length))
            assert message.state in ("complete", "stopped")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.soak
def test_no_acknowledged_message_is_lost_when_the_writer_is_killed(home: Home) -> None:
    dice = random.Random(20261122)
    n_kills, n_messages = counted(20), counted(1000)
    told: Told = {}
    while n_kills > 0 or len(told) < n_messages:
        with writer(home.chats_db, first_number=2 * len(told)) as process:
            listen(process, told, n_lines=dice.randrange(1, 4 * n_messages // counted(20)))
            threading.Event().wait(dice.random() * 0.02)  # the moment of the kill is random, not awaited
            process.kill()
            listen(process, told)
        n_kills -= 1
        assert_all_there(home.chats_db, told)
    assert len(told) >= n_messages


@pytest.mark.soak
def test_copies_at_random_instants_open(home: Home, tmp_path: Path) -> None:
    dice = random.Random(7)
    told: Told = {}
    with writer(home.chats_db) as process:
        stopped = psutil.Process(process.pid)
        for number in range(counted(200)):
            listen(process, told, n_lines=dice.randrange(1, 30))
            stopped.suspend()  # what lies on the disk now is what a power cut would leave at best
            copy = tmp_path / f"copy {number}" / "chats.db"
            copy.parent.mkdir()
            for suffix in ("", "-wal"):
                shutil.copyfile(f"{home.chats_db}{suffix}", f"{copy}{suffix}")
            stopped.resume()
            assert_all_there(copy, told)


def test_only_one_process_owns_the_conversations(home: Home) -> None:
    told: Told = {}
    with writer(home.chats_db) as process:
        listen(process, told, n_lines=3)
        with pytest.raises(Busy, match="Another Pronk"):
            ChatStore.open(home.chats_db)
        with ChatStore.read_only(home.chats_db) as reader:
            assert reader.message(next(iter(told))).role == "user"
        process.kill()
        listen(process, told)
    assert_all_there(home.chats_db, told)


def filled(path: Path, n_chats: int = 10, n_messages: int = 12) -> set[str]:
    texts = set()
    with ChatStore.open(path) as store:
        for chat_number in range(n_chats):
            chat = store.create(f"chat {chat_number}")
            parent = None
            for number in range(n_messages):
                texts.add(text_of(1000 * chat_number + number, 1500))
                parent = store.add(chat.id, parent, "user", text_of(1000 * chat_number + number, 1500)).id
    return texts


def texts_in(store: ChatStore) -> set[str]:
    return {message.text for chat in store.conversations() for message in store.path(chat.id)}


def test_pages_that_were_overwritten_cost_only_what_stood_on_them(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    texts = filled(whole)
    dice = random.Random(5)
    n_pages = whole.stat().st_size // 4096
    kept_counts = []
    for number in range(20):
        path = tmp_path / f"{number}" / "chats.db"
        path.parent.mkdir()
        data = bytearray(whole.read_bytes())
        page = dice.randrange(1, n_pages)
        data[4096 * page : 4096 * (page + 1)] = dice.randbytes(4096)
        path.write_bytes(data)
        with ChatStore.open(path) as store:
            kept = texts_in(store)
            assert kept == texts or "was damaged" in store.notice
            store.add(store.create("after").id, None, "user", "life goes on")
        if kept != texts:
            (aside,) = path.parent.glob("chats.damaged-*.db")
            assert aside.read_bytes() == data
        kept_counts.append(len(kept & texts))
    assert sorted(kept_counts)[10] >= 0.9 * len(texts)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"\0" * len(data), id="zeros"),
        pytest.param(lambda data: b"\0" * 4096 + data[4096:], id="first page zero"),
        pytest.param(lambda data: b"SQLite format 3\0 but then nothing", id="only a head"),
        pytest.param(lambda data: data[: len(data) // 2], id="half"),
    ],
)
def test_a_file_that_was_hit_hard_is_kept_and_told(home: Home, damage) -> None:
    filled(home.chats_db, 3, 3)
    data = damage(home.chats_db.read_bytes())
    home.chats_db.write_bytes(data)
    with ChatStore.open(home.chats_db) as store:
        assert "was damaged" in store.notice
        (aside,) = home.root.glob("chats.damaged-*.db")
        assert aside.name in store.notice
        assert aside.read_bytes() == data
        store.add(store.create().id, None, "user", "life goes on")
    with ChatStore.open(home.chats_db) as store:
        assert store.notice == ""
        assert "life goes on" in texts_in(store)


def test_a_lost_file_comes_back_from_the_backup(home: Home) -> None:
    texts = filled(home.chats_db, 3, 3)
    ChatStore.open(home.chats_db).close()  # makes the day's backup
    with ChatStore.open(home.chats_db) as store:
        store.add(store.create("later").id, None, "user", "after the backup")
    home.chats_db.write_bytes(b"\0" * home.chats_db.stat().st_size)
    with ChatStore.open(home.chats_db) as store:
        assert "9 messages in 3 conversations were brought back from it and from the last backup" in store.notice
        assert texts_in(store) == texts


def hit_an_index(path: Path) -> None:
    """Overwrite the page that an index begins on: every row can still be read."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'messages_by_parent'"
        (root,) = connection.execute(query).fetchone()
    data = bytearray(path.read_bytes())
    data[4096 * (root - 1) : 4096 * root] = b"\xff" * 4096
    path.write_bytes(data)


def test_a_row_in_file_and_backup_is_taken_from_the_file(home: Home) -> None:
    filled(home.chats_db, 8, 12)
    with ChatStore.open(home.chats_db) as store:
        store.update(1, "edited after the backup")
    hit_an_index(home.chats_db)
    with ChatStore.open(home.chats_db) as store:
        assert "96 messages in 8 conversations" in store.notice
        assert store.message(1).text == "edited after the backup"


def test_what_hung_on_lost_rows_is_shown_all_the_same(home: Home) -> None:
    filled(home.chats_db, 2, 5)
    with closing(sqlite3.connect(home.chats_db)) as connection:
        connection.execute("DELETE FROM messages WHERE id IN (3, 5)")  # inside the first chat, and its last one
        connection.execute("DELETE FROM conversations WHERE id = 2")
        connection.commit()
    hit_an_index(home.chats_db)
    with ChatStore.open(home.chats_db) as store:
        assert [message.id for message in store.path(1)] == [1, 2, 4]
        assert [message.id for message in store.path(2)] == [6, 7, 8, 9, 10]
        assert store.conversation(2).title == "Recovered"


def test_a_log_that_was_cut_costs_at_most_its_end(home: Home, tmp_path: Path) -> None:
    told: Told = {}
    with writer(home.chats_db) as process:
        listen(process, told, n_lines=20)
        process.kill()
    log = Path(f"{home.chats_db}-wal")
    log.write_bytes(log.read_bytes()[: log.stat().st_size * 2 // 3])
    with ChatStore.open(home.chats_db) as store:
        assert store.notice == ""  # SQLite drops what was not whole, as after a power cut
        texts = texts_in(store)
        assert texts
        assert all(text.startswith("message") or text == "" for text in texts)


def test_a_putting_aside_that_was_cut_off_is_ended(home: Home) -> None:
    filled(home.chats_db, 1, 2)
    fresh = home.chats_db.with_name("chats.recovered.db")
    shutil.copyfile(home.chats_db, fresh)
    home.chats_db.write_bytes(b"\0" * 5000)
    finish_interrupted(home.chats_db)
    assert not fresh.exists()
    with ChatStore.open(home.chats_db) as store:
        assert len(texts_in(store)) == 2
    assert home.chats_db.with_name("chats.damaged-before-crash.db").read_bytes() == b"\0" * 5000
