"""A process that writes messages and says on stdout which of them are stored, until it is killed.

python -m tests.support.chat_writer CHATS_DB FIRST_NUMBER
"""

import itertools
import json
import sys
from pathlib import Path

from app.chat.store import ChatStore


def text_of(number: int, length: int) -> str:
    """Return the text of message `number`, as far as it has been streamed."""
    return f"message {number} 你好 ".ljust(length, "x")[:length]


def main() -> None:
    """Write a question and a streamed answer, again and again."""
    path, first = Path(sys.argv[1]), int(sys.argv[2])
    with ChatStore.open(path) as store:
        chats = store.conversations()
        chat = chats[0] if chats else store.create("crash test")
        for number in itertools.count(first, 2):
            parent = store.conversation(chat.id).leaf_id
            question = store.add(chat.id, parent, "user", text_of(number, 200))
            _tell(question.id, number, 200)
            answer = store.add(chat.id, question.id, "assistant", "", state="streaming")
            for length in (40, 4000, 9000):
                store.update(answer.id, text_of(number + 1, length))
                _tell(answer.id, number + 1, length)
            store.update(answer.id, text_of(number + 1, 9000), state="complete")


def _tell(message_id: int, number: int, length: int) -> None:
    print(json.dumps({"id": message_id, "number": number, "length": length}), flush=True)


if __name__ == "__main__":
    main()
