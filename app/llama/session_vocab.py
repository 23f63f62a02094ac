"""Text to tokens and back, with the model's own tokenizer."""

import ctypes
from collections.abc import Sequence
from typing import Any


class Vocabulary:
    """The tokenizer of a loaded model; alive for as long as the model is."""

    def __init__(self, llama: Any, model: Any) -> None:
        self._llama = llama
        self._vocab = llama.llama_model_get_vocab(model)
        self._pieces: dict[int, bytes] = {}
        self._ends: dict[int, bool] = {}
        self._buffer = ctypes.create_string_buffer(256)
        self.size: int = llama.llama_vocab_n_tokens(self._vocab)
        self.adds_bos: bool = llama.llama_vocab_get_add_bos(self._vocab)
        self.bos = self._special(llama.llama_vocab_bos(self._vocab))
        self.eos = self._special(llama.llama_vocab_eos(self._vocab))

    def tokenize(self, text: str, add_special: bool, parse_special: bool = True) -> list[int]:
        """Return the tokens of `text`; `add_special` puts BOS before it where the model wants one.

        `parse_special` reads the names of control tokens in the text as these tokens.
        """
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (self._llama.llama_token * room)()
        count = self._llama.llama_tokenize(self._vocab, data, len(data), tokens, room, add_special, parse_special)
        if count < 0:
            room = -count
            tokens = (self._llama.llama_token * room)()
            count = self._llama.llama_tokenize(self._vocab, data, len(data), tokens, room, add_special, parse_special)
        return list(tokens[:count])

    def prompt_tokens(self, text: str) -> list[int]:
        """Return the tokens of a prompt: BOS is added where the model wants one, unless the text begins with it."""
        return self.tokenize(text, add_special=not (self.bos and text.startswith(self.bos)))

    def piece(self, token: int) -> bytes:
        """Return the bytes a token stands for (part of a character, perhaps); control tokens are empty."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._render(token, special=False)
        return known

    def pieces(self, tokens: Sequence[int]) -> bytes:
        """Return the bytes of several tokens."""
        return b"".join(map(self.piece, tokens))

    def ends(self, token: int) -> bool:
        """Return whether the model ends its answer with this token."""
        known = self._ends.get(token)
        if known is None:
            known = self._ends[token] = bool(self._llama.llama_vocab_is_eog(self._vocab, token))
        return known

    def _special(self, token: int) -> str:
        return "" if token < 0 else self._render(token, special=True).decode("utf-8", "replace")

    def _render(self, token: int, special: bool) -> bytes:
        length = self._llama.llama_token_to_piece(self._vocab, token, self._buffer, len(self._buffer), 0, special)
        if length < 0:
            self._buffer = ctypes.create_string_buffer(-length)
            length = self._llama.llama_token_to_piece(self._vocab, token, self._buffer, -length, 0, special)
        return self._buffer.raw[:length]
