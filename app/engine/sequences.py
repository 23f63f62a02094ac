"""The sequences of a context and what of them may be kept for the next prompt.

Keeping a prefix goes wrong in silence on sliding-window and recurrent models: llama.cpp removes the tail and says
yes while the window before it is gone. So `keep_prefix` keeps only what the memory's own positions prove is there.
"""

from collections.abc import Sequence as Run
from dataclasses import dataclass, field
from typing import Protocol


class Memory(Protocol):
    """What a session tells of its memory."""

    n_swa: int
    recurrent: bool

    def positions(self, sequence: int) -> tuple[int, int]:
        """Return the first and last position held, (-1, -1) when none."""

    def remove(self, sequence: int, start: int = -1) -> bool:
        """Remove positions from `start` on; False when impossible."""


@dataclass
class Sequence:
    """One sequence of the context: the tokens that memory holds of it, and when it was last used."""

    id: int
    tokens: list[int] = field(default_factory=list)
    used_at: int = 0


def common_prefix(left: Run[int], right: Run[int]) -> int:
    """Return how many tokens at the start are the same."""
    limit = min(len(left), len(right))
    if list(left[:limit]) == list(right[:limit]):
        return limit
    return next(i for i in range(limit) if left[i] != right[i])


def keep_prefix(memory: Memory, sequence: Sequence, n_keep: int) -> int:
    """Cut a sequence back to its first `n_keep` tokens; returns how many are proven to be whole: `n_keep` or 0.

    After 0 the sequence is empty and must be computed from the start.
    """
    if n_keep == len(sequence.tokens) and _proven(memory, sequence.id, n_keep):
        return n_keep
    if 0 < n_keep < len(sequence.tokens):
        removed = memory.remove(sequence.id, n_keep)
        if removed and _proven(memory, sequence.id, n_keep):
            del sequence.tokens[n_keep:]
            return n_keep
    forget(memory, sequence)
    return 0


def forget(memory: Memory, sequence: Sequence) -> None:
    """Empty a sequence."""
    memory.remove(sequence.id)
    sequence.tokens.clear()


def _proven(memory: Memory, sequence_id: int, n_keep: int) -> bool:
    """Return whether memory holds all that the token at position `n_keep` attends to.

    Full attention needs every position from 0; a sliding window the last `n_swa`; a recurrent state only its end
    (seq_rm refuses to go back there, so what is left after it is the state at the last position).
    """
    first, last = memory.positions(sequence_id)
    if n_keep == 0 or last != n_keep - 1:
        return n_keep == 0
    if memory.recurrent:
        return True
    return first <= max(0, n_keep - memory.n_swa) if memory.n_swa > 0 else first == 0


def choose(sequences: Run[Sequence], prompt: Run[int]) -> tuple[Sequence, int]:
    """Return the idle sequence that a prompt should take, and how many of its tokens fit.

    A sequence that the prompt continues (or rewinds by less than half) is taken; another conversation's is left
    alone as long as there is an older one: the least recently used goes.
    """
    scored = [(common_prefix(sequence.tokens, prompt), sequence) for sequence in sequences]
    fitting = [
        (n_common, sequence) for n_common, sequence in scored if n_common and 2 * n_common >= len(sequence.tokens)
    ]
    if fitting:
        n_common, best = max(fitting, key=lambda pair: (pair[0], pair[1].used_at))
        return best, n_common
    n_common, oldest = min(scored, key=lambda pair: (bool(pair[1].tokens), pair[1].used_at))
    return oldest, n_common
