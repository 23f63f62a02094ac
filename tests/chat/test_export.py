import json

from app.chat.export import to_json, to_markdown
from app.chat.store import ChatStore
from app.core.paths import Home


def test_a_conversation_is_exported_whole(home: Home) -> None:
    with ChatStore.open(home.chats_db) as store:
        chat = store.create("问题", model="SmolLM2")
        question = store.add(chat.id, None, "user", "List **two**:\n\n- a")
        store.add(chat.id, question.id, "assistant", "- b\n", state="stopped", details={"usage": {"total_tokens": 3}})
        chat, branch = store.conversation(chat.id), store.path(chat.id)
    head, about, *rest = to_markdown(chat, branch).split("\n\n", 2)
    assert head == "# 问题"
    assert about.endswith("UTC, SmolLM2")
    assert rest == ["## You\n\nList **two**:\n\n- a\n\n## Answer (stopped)\n\n- b\n"]
    document = json.loads(to_json(chat, branch))
    assert document["conversation"]["title"] == "问题"
    assert [message["text"] for message in document["messages"]] == ["List **two**:\n\n- a", "- b\n"]
    assert document["messages"][1]["details"] == {"usage": {"total_tokens": 3}}
