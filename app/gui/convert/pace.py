"""How far a conversion is, how fast it goes and how long it still takes, from the converter's events."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPEED_SPAN_S = 5.0
"""The speed shown is that of the last seconds."""
REST_SPAN_S = 30.0
"""The time left is foretold from a longer stretch, so that it does not jump from tensor to tensor."""
SHORTEST_SPAN_S = 0.8
PARTS: Mapping[str, tuple[float, float]] = {
    "read": (0.0, 0.02),
    "quantize": (0.02, 0.88),
    "check": (0.88, 0.98),
    "write": (0.98, 1.0),
}
"""Which part of the bar each phase fills; of a phase that is not known the bar says nothing."""


@dataclass(frozen=True)
class Sample:
    """Bytes done of a phase at a moment."""

    elapsed_s: float
    done_bytes: int


class Pace:
    """Takes the progress events of one conversion in order."""

    def __init__(self) -> None:
        self.phase = ""
        self.done_bytes = 0
        self.total_bytes = 0
        self.share = 0.0
        self._samples: deque[Sample] = deque()

    def take(self, event: Mapping[str, Any]) -> None:
        """Follow one event; what was done before the first one, in an earlier run, counts for no speed."""
        phase = str(event.get("phase", ""))
        if phase != self.phase:
            self.phase = phase
            self._samples.clear()
        self.done_bytes, self.total_bytes = int(event.get("done_bytes") or 0), int(event.get("total_bytes") or 0)
        now_s = float(event.get("elapsed_s") or 0.0)
        self._samples.append(Sample(now_s, self.done_bytes))
        while now_s - self._samples[0].elapsed_s > REST_SPAN_S:
            self._samples.popleft()
        begin, end = PARTS.get(phase, (self.share, self.share))
        done = min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 0.0
        self.share = max(self.share, begin + (end - begin) * done)

    @property
    def bytes_per_s(self) -> float:
        """The speed of the last seconds, 0 while it is not known."""
        return self._speed(SPEED_SPAN_S)

    @property
    def left_s(self) -> float | None:
        """How long the rest takes, later phases guessed by their part of the bar; None while it is not known."""
        speed = self._speed(REST_SPAN_S)
        if not speed or self.done_bytes >= self.total_bytes or self.phase not in PARTS:
            return None
        begin, end = PARTS[self.phase]
        whole_s = self.total_bytes / speed
        return (self.total_bytes - self.done_bytes) / speed + whole_s * (1 - end) / (end - begin)

    def _speed(self, span_s: float) -> float:
        last = self._samples[-1] if self._samples else Sample(0.0, 0)
        first = next((s for s in self._samples if last.elapsed_s - s.elapsed_s <= span_s), last)
        elapsed_s = last.elapsed_s - first.elapsed_s
        return (last.done_bytes - first.done_bytes) / elapsed_s if elapsed_s >= SHORTEST_SPAN_S else 0.0
