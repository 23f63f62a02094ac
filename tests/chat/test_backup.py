from contextlib import closing

from app.chat.backup import KEPT, back_up_daily, backups
from app.chat.store import ChatStore
from app.core.paths import Home
from app.core.sqlite import open_writer

DAY_S = 86400


def test_one_copy_a_day_and_the_newest_three_stay(home: Home) -> None:
    with ChatStore.open(home.chats_db) as store:
        store.create("empty")
    assert backups(home.chats_db) == []
    with ChatStore.open(home.chats_db) as store:
        store.add(store.create().id, None, "user", "kept")
    with closing(open_writer(home.chats_db, every_commit_on_disk=True)) as connection:
        for day in range(5):
            for hour in (0, 1):
                back_up_daily(connection, home.chats_db, (20000 + day) * DAY_S + 40000 + hour)
    copies = backups(home.chats_db)
    assert len(copies) == KEPT
    assert [path.name for path in copies] == sorted((path.name for path in copies), reverse=True)
    with ChatStore.open(copies[0]) as store:
        assert store.message(1).text == "kept"
    assert not list(copies[0].parent.glob("*.part"))


def test_a_backup_that_cannot_be_made_does_not_keep_the_conversations_shut(home: Home) -> None:
    with ChatStore.open(home.chats_db) as store:
        store.add(store.create().id, None, "user", "kept")
    home.chats_db.with_name("backups").write_text("a file stands where the folder should be")
    with ChatStore.open(home.chats_db) as store:
        assert store.message(1).text == "kept"
