"""Telling a model's thinking from its answer: <think>…</think> at the start."""

OPEN, CLOSE = "<think>", "</think>"


class ReasoningSplitter:
    """Splits a stream of text; `feed` returns (reasoning, answer) that may be shown now.

    `thinking` is true when the prompt itself already opened the block, as some templates do. Line ends right after
    either mark belong to neither.
    """

    def __init__(self, thinking: bool = False) -> None:
        self._state = "thinking" if thinking else "start"
        self._held = ""
        self._after_mark = thinking

    def feed(self, text: str) -> tuple[str, str]:
        """Take the next text."""
        if self._state == "answer":
            return "", self._trimmed(text)
        self._held += text
        return self._start() if self._state == "start" else self._think()

    def finish(self) -> tuple[str, str]:
        """Return what was held back."""
        held, self._held = self._held, ""
        return (held, "") if self._state == "thinking" else ("", held)

    def _start(self) -> tuple[str, str]:
        begun = self._held.lstrip()
        if begun.startswith(OPEN):
            self._state, self._held, self._after_mark = "thinking", begun[len(OPEN) :], True
            return self._think()
        if OPEN.startswith(begun):
            return "", ""
        self._state = "answer"
        held, self._held = self._held, ""
        return "", held

    def _think(self) -> tuple[str, str]:
        thought, closed, answer = self._held.partition(CLOSE)
        if closed:
            thought = self._trimmed(thought)
            self._state, self._held, self._after_mark = "answer", "", True
            return thought, self._trimmed(answer)
        keep = next((n for n in range(len(CLOSE) - 1, 0, -1) if thought.endswith(CLOSE[:n])), 0)
        self._held = thought[len(thought) - keep :]
        return self._trimmed(thought[: len(thought) - keep]), ""

    def _trimmed(self, text: str) -> str:
        """Drop line ends that follow a mark."""
        if not self._after_mark:
            return text
        text = text.lstrip("\n")
        self._after_mark = not text
        return text
