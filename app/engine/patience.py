"""How long a lent device may take for one step: a lender that is frozen keeps its connection and never answers."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

LEAST_S = 30.0
FORETOLD_TIMES = 20
# Between two signs of getting on while a model is carried over a network: a tensor may have gigabytes.
LOAD_S = 600.0


class Patience:
    """Watches the steps of one thread; any other may ask whether the one under way takes too long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends_s: float | None = None
        self._most_s = 0.0

    @contextmanager
    def step(self, most_s: float | None) -> Iterator[None]:
        """Watch what is done inside, for `most_s` seconds; None allows any time."""
        with self._lock:
            self._most_s = most_s or 0.0
            self._ends_s = None if most_s is None else time.monotonic() + most_s
        try:
            yield
        finally:
            with self._lock:
                self._ends_s = None

    def renew(self) -> None:
        """Allow the step under way its whole time again: it gets on."""
        with self._lock:
            if self._ends_s is not None:
                self._ends_s = time.monotonic() + self._most_s

    @property
    def is_over(self) -> bool:
        """Whether the step under way takes too long."""
        with self._lock:
            return self._ends_s is not None and time.monotonic() > self._ends_s


def most_step_s(plan: Mapping[str, Any], lent: bool) -> float | None:
    """Return the seconds for one step of this plan: many times what its largest batch should take; None without lent
    devices, where nothing but the work itself takes time."""
    if not lent or not plan["n_gpu_layers"]:
        return None
    foretold = float(plan["expected"]["prefill_tokens_per_s"] or 0.0)
    return max(LEAST_S, FORETOLD_TIMES * int(plan["n_ubatch"]) / max(foretold, 0.1))
