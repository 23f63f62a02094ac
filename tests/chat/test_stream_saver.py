import pytest

from app.chat.store import ChatStore
from app.chat.stream_saver import SAVE_EVERY_S, StreamSaver
from app.core.errors import NotEnoughDisk
from app.core.paths import Home
from tests.support.waiting import wait_until


@pytest.fixture
def store(home: Home):
    with ChatStore.open(home.chats_db) as opened:
        yield opened


def test_text_is_stored_while_no_more_comes(store: ChatStore) -> None:
    assert SAVE_EVERY_S < 1
    message = store.add(store.create().id, None, "assistant", "", state="streaming")
    saver = StreamSaver(store, message, every_s=0.01)
    saver.add("Hello ")
    saver.add("wor")
    wait_until(lambda: store.message(message.id).text == "Hello wor", timeout_s=5, what="the text on disk")
    assert store.message(message.id).state == "streaming"
    saver.add("ld")
    done = saver.finish("complete", {"usage": {"total_tokens": 2}})
    assert (done.text, done.state, done.details) == ("Hello world", "complete", {"usage": {"total_tokens": 2}})


def test_a_full_disk_does_not_end_the_answer(store: ChatStore) -> None:
    message = store.add(store.create().id, None, "assistant", "", state="streaming")
    connection = store._session._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    saver = StreamSaver(store, message, every_s=0.01)
    saver.add("long " * 5000)
    wait_until(lambda: isinstance(saver.problem, NotEnoughDisk), timeout_s=5, what="the failed save")
    connection.execute("PRAGMA max_page_count = 100000")
    wait_until(lambda: saver.problem is None, timeout_s=5, what="the save after space was freed")
    assert saver.finish("complete", {}).text == "long " * 5000
