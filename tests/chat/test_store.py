import threading
from pathlib import Path

import pytest

from app.chat.migrations import MIGRATIONS, migrate
from app.chat.store import ChatStore
from app.core.errors import BadFile, BadRequest, Bug, Busy, NotEnoughDisk
from app.core.paths import Home


@pytest.fixture
def store(home: Home):
    with ChatStore.open(home.chats_db) as opened:
        yield opened


def test_a_conversation_comes_back_after_reopening(home: Home) -> None:
    with ChatStore.open(home.chats_db) as store:
        chat = store.create("你好", model="SmolLM2")
        question = store.add(chat.id, None, "user", "What is 2 + 2? 🐘\0\n")
        store.add(chat.id, question.id, "assistant", "4", details={"usage": {"total_tokens": 3}})
    with ChatStore.open(home.chats_db) as store:
        assert store.notice == ""
        assert [(chat.title, chat.model) for chat in store.conversations()] == [("你好", "SmolLM2")]
        assert [(m.role, m.text, m.state) for m in store.path(chat.id)] == [
            ("user", "What is 2 + 2? 🐘\0\n", "complete"),
            ("assistant", "4", "complete"),
        ]
        assert store.path(chat.id)[1].details == {"usage": {"total_tokens": 3}}


def test_regenerate_and_edit_add_siblings_and_nothing_is_overwritten(store: ChatStore) -> None:
    chat = store.create()
    question = store.add(chat.id, None, "user", "one")
    first = store.add(chat.id, question.id, "assistant", "first")
    follow = store.add(chat.id, first.id, "user", "more")
    second = store.add(chat.id, question.id, "assistant", "second")
    assert [message.text for message in store.path(chat.id)] == ["one", "second"]
    assert [message.id for message in store.siblings(second.id)] == [first.id, second.id]
    assert [message.text for message in store.select(first.id)] == ["one", "first", "more"]
    assert store.conversation(chat.id).leaf_id == follow.id
    edited = store.add(chat.id, None, "user", "uno")
    assert [message.text for message in store.siblings(edited.id)] == ["one", "uno"]
    assert [message.text for message in store.path(chat.id)] == ["uno"]


def test_update_keeps_what_is_not_given(store: ChatStore) -> None:
    chat = store.create()
    answer = store.add(chat.id, None, "assistant", "", state="streaming", details={"model": "x"})
    assert store.update(answer.id, "half").state == "streaming"
    done = store.update(answer.id, "whole", state="complete")
    assert (done.text, done.state, done.details) == ("whole", "complete", {"model": "x"})


def test_the_trash_gives_back_and_is_purged(store: ChatStore) -> None:
    chat = store.create("kept")
    store.add(chat.id, None, "user", "text")
    store.delete(chat.id)
    assert store.conversations() == ()
    assert [item.title for item in store.conversations(deleted=True)] == ["kept"]
    store.restore(chat.id)
    assert [message.text for message in store.path(chat.id)] == ["text"]
    assert store.purge_trash(before=4e9) == 0
    deleted_at = store.delete(chat.id).deleted_at
    assert deleted_at is not None
    assert store.purge_trash(before=deleted_at + 1) == 1
    with pytest.raises(BadRequest):
        store.conversation(chat.id)


def test_a_deep_conversation_is_shown_and_purged(store: ChatStore) -> None:
    chat = store.create()
    parent = None
    with store._change():  # one flush for all of them
        for number in range(1500):
            parent = _insert(store, chat.id, parent, str(number))
        store._session._connection.execute("UPDATE conversations SET leaf_id = ?", (parent,))
    assert [message.text for message in store.path(chat.id)][::749] == ["0", "749", "1498"]
    store.delete(chat.id)
    assert store.purge_trash(before=4e9) == 1


def _insert(store: ChatStore, chat_id: int, parent: int | None, text: str) -> int:
    row = (chat_id, parent, "user", text, "complete", 0.0, "{}")
    query = "INSERT INTO messages (conversation_id, parent_id, role, text, state, created_at, details)"
    return int(store._session._connection.execute(f"{query} VALUES (?, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0)


def test_a_parent_of_another_conversation_is_refused(store: ChatStore) -> None:
    one, other = store.create(), store.create()
    message = store.add(one.id, None, "user", "text")
    with pytest.raises(BadRequest, match="not part of"):
        store.add(other.id, message.id, "user", "text")
    with pytest.raises(BadRequest, match="no conversation 99"):
        store.add(99, None, "user", "text")


def test_half_a_surrogate_pair_does_not_stop_the_saving(store: ChatStore) -> None:
    chat = store.create("\ud83d")
    assert store.add(chat.id, None, "user", "a\ud83db").text == "a?b"


def test_answers_cut_off_by_a_crash_count_as_stopped(home: Home) -> None:
    with ChatStore.open(home.chats_db) as store:
        chat = store.create()
        store.add(chat.id, None, "assistant", "half an ans", state="streaming")
    with ChatStore.open(home.chats_db) as store:
        assert [(message.text, message.state) for message in store.path(chat.id)] == [("half an ans", "stopped")]


def test_many_threads_may_write(store: ChatStore) -> None:
    chat = store.create()

    def write(name: str) -> None:
        for number in range(10):
            store.add(chat.id, None, "user", f"{name}{number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.siblings(1)) == 40


def test_a_reader_sees_what_the_owner_wrote_and_cannot_write(home: Home, store: ChatStore) -> None:
    chat = store.create("mine")
    with ChatStore.read_only(home.chats_db) as reader:
        assert reader.conversation(chat.id).title == "mine"
        store.rename(chat.id, "renamed")
        assert reader.conversation(chat.id).title == "renamed"
        assert not reader.writable
        with pytest.raises(BadFile, match="read only"):
            reader.create()


def test_reading_where_there_is_nothing_says_so(home: Home) -> None:
    with pytest.raises(BadFile, match="no conversations"):
        ChatStore.read_only(home.chats_db)


def test_a_second_owner_is_busy_and_comes_in_later(home: Home, store: ChatStore) -> None:
    with pytest.raises(Busy, match="Another Pronk"):
        ChatStore.open(home.chats_db)
    store.close()
    ChatStore.open(home.chats_db).close()


def test_a_newer_file_is_read_and_not_changed(home: Home) -> None:
    with ChatStore.open(home.chats_db) as store:
        store.create("from the future")
        store._session._connection.execute("PRAGMA user_version = 7")
    with ChatStore.open(home.chats_db) as store:
        assert "newer Pronk" in store.notice
        assert [chat.title for chat in store.conversations()] == ["from the future"]
        with pytest.raises(BadFile):
            store.create()


def test_a_migration_leaves_a_copy_of_the_file_before_it(home: Home) -> None:
    with ChatStore.open(home.chats_db) as store:
        store.create("old")
        later = (*MIGRATIONS, lambda connection: connection.execute("ALTER TABLE conversations ADD COLUMN colour TEXT"))
        migrate(store._session._connection, home.chats_db, later)
    copy = home.chats_db.with_name("chats.v1.db")
    with ChatStore.open(copy) as store:
        assert [chat.title for chat in store.conversations()] == ["old"]


def test_a_failing_migration_changes_nothing(home: Home) -> None:
    def broken(connection):
        connection.execute("DELETE FROM conversations")
        raise RuntimeError("broken step")

    with ChatStore.open(home.chats_db) as store:
        store.create("old")
        with pytest.raises(RuntimeError):
            migrate(store._session._connection, home.chats_db, (*MIGRATIONS, broken))
        assert [chat.title for chat in store.conversations()] == ["old"]


def test_a_full_disk_is_told_and_loses_nothing(store: ChatStore) -> None:
    chat = store.create()
    kept = store.add(chat.id, None, "user", "kept")
    connection = store._session._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to a full disk
    with pytest.raises(NotEnoughDisk, match="full"):
        store.add(chat.id, kept.id, "assistant", "long " * 5000)
    assert [message.text for message in store.path(chat.id)] == ["kept"]
    connection.execute("PRAGMA max_page_count = 100000")
    store.add(chat.id, kept.id, "assistant", "long " * 5000)
    assert len(store.path(chat.id)) == 2


def test_a_wrong_call_is_a_fault_of_ours_and_changes_nothing(store: ChatStore) -> None:
    chat = store.create()
    with pytest.raises(Bug):
        store.add(chat.id, None, "narrator", "text")  # type: ignore[arg-type]
    assert store.path(chat.id) == ()
    store.close()
    with pytest.raises(Bug):
        store.conversations()


def test_conversations_are_nobody_elses_to_read(store: ChatStore, home: Home) -> None:
    store.create()
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.root.glob("chats.db*") if path.suffix != ".lock"}
    assert modes["chats.db"] == modes["chats.db-wal"] == 0o600


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file stands where the folder should be")
    with pytest.raises(NotEnoughDisk):
        ChatStore.open(tmp_path / "home" / "chats.db")
