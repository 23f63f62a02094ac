"""How long a lent device may take for one step: a lender that is frozen keeps its connection and never answers."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

LEAST_S = 30.0
FORETOLD_TIMES = 20


class Patience:
    """Watches the steps of one thread; any other may ask whether the one under way takes too long."""

    def __init__(self, most_s: float | None) -> None:
        """Allow `most_s` seconds for a step; None allows any time."""
        self._most_s = most_s
        self._lock = threading.Lock()
        self._began_s: float | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Watch what is done inside."""
        with self._lock:
            self._began_s = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._began_s = None

    @property
    def is_over(self) -> bool:
        """Whether the step under way takes too long."""
        with self._lock:
            began_s = self._began_s
        return self._most_s is not None and began_s is not None and time.monotonic() - began_s > self._most_s


def most_step_s(plan: Mapping[str, Any], lent: bool) -> float | None:
    """Return the seconds for one step of this plan: many times what its largest batch should take; None without lent
    devices, where nothing but the work itself takes time."""
    if not lent or not plan["n_gpu_layers"]:
        return None
    foretold = float(plan["expected"]["prefill_tokens_per_s"] or 0.0)
    return max(LEAST_S, FORETOLD_TIMES * int(plan["n_ubatch"]) / max(foretold, 0.1))
