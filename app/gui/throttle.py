"""Caps how often the screen follows something that changes all the time."""

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

FRAME_S = 1 / 30
REST_FACTOR = 4
LONGEST_REST_S = 0.3


class Throttle(QObject):
    """Calls `action` soon after request(), at most 30 times a second, and less often when the action is slow.

    After an action that took t, the next one waits at least 4 t: following a stream never costs more than a fifth
    of the UI thread.
    """

    def __init__(self, action: Callable[[], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._action = action
        self._earliest_s = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.flush)

    def request(self) -> None:
        """Ask for the action; many requests before it runs count as one."""
        if not self._timer.isActive():
            self._timer.start(max(0, round((self._earliest_s - time.monotonic()) * 1000 + 0.5)))

    def flush(self) -> None:
        """Run the action now."""
        self._timer.stop()
        started_s = time.thread_time()  # not the clock: another program's turn is no work of ours
        self._action()
        rest_s = REST_FACTOR * (time.thread_time() - started_s)
        self._earliest_s = time.monotonic() + min(max(FRAME_S, rest_s), LONGEST_REST_S)

    def stop(self) -> None:
        """Forget a request that waits."""
        self._timer.stop()
