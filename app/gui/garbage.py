"""Python's cycle collector, run on the UI thread only and in small steps.

Left alone it runs on whichever thread allocates: a full collection is a pause of tens of milliseconds in the middle of
an answer, and one on a pool thread may destroy widgets there, which Qt does not survive.
"""

import gc

from PySide6.QtCore import QObject, QTimer

EVERY_MS = 1000


class UiGarbage(QObject):
    """Between start() and stop() cycles are collected by a timer on this thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self._on_tick)

    def start(self) -> None:
        """Take over; what lives now (modules, the window) is not looked at again."""
        gc.disable()
        gc.freeze()
        self._timer.start()

    def stop(self) -> None:
        """Hand back to Python."""
        if self._timer.isActive():
            self._timer.stop()
            gc.unfreeze()
            gc.enable()

    def _on_tick(self) -> None:
        """Collect the oldest generation whose turn it is."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation]:
                gc.collect(generation)
                return
