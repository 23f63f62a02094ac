"""The batch of tokens that one llama_decode call works on."""

from collections.abc import Sequence
from typing import Any


class Batch:
    """A llama_batch of fixed room that is filled anew for each call."""

    def __init__(self, llama: Any, n_tokens_max: int, n_seq_max: int) -> None:
        self._llama = llama
        self.room = n_tokens_max
        self.raw = llama.llama_batch_init(n_tokens_max, 0, 1)
        # Attribute look-ups on a ctypes struct make a new pointer object each time: keep them.
        self._token, self._pos = self.raw.token, self.raw.pos
        self._sequence, self._logits = self.raw.seq_id, self.raw.logits
        for i in range(n_tokens_max):
            self.raw.n_seq_id[i] = 1
        self.length = 0

    def clear(self) -> None:
        """Empty it."""
        self.length = 0

    def add(self, sequence: int, position: int, token: int) -> int:
        """Add a token whose logits are wanted; returns its place in the batch."""
        i = self.length
        self._token[i] = token
        self._pos[i] = position
        self._sequence[i][0] = sequence
        self._logits[i] = 1
        self.length = i + 1
        return i

    def add_chunk(self, sequence: int, position: int, tokens: Sequence[int], wants_logits: bool) -> int:
        """Add a run of tokens, with logits of the last one if wanted; returns the last one's place."""
        i = self.length
        for offset, token in enumerate(tokens):
            self._token[i] = token
            self._pos[i] = position + offset
            self._sequence[i][0] = sequence
            self._logits[i] = 0
            i += 1
        self.length = i
        self._logits[i - 1] = 1 if wants_logits else 0
        return i - 1

    def close(self) -> None:
        """Free it."""
        self._llama.llama_batch_free(self.raw)
