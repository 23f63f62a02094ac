"""What other programs leave free, read every two seconds while somebody looks."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.core.errors import AppError
from app.gui.plan.values import Reading
from app.gui.plan.world import PlanWorld

if TYPE_CHECKING:
    from app.devices.values import Devices

EVERY_MS = 2000
GPUS_EVERY_S = 5.0


class LiveMemory(QObject):
    """Main memory from the system, in this process; GPUs' from their drivers, on a pool thread."""

    read = Signal(object)
    """A Reading."""

    def __init__(self, world: PlanWorld, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._world = world
        self._gpu_free: dict[str, int] = {}
        self._asked_s = -GPUS_EVERY_S
        self._asking = False
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self.tick)

    @property
    def running(self) -> bool:
        """Whether it reads."""
        return self._timer.isActive()

    def start(self) -> None:
        """Read now and go on."""
        self._timer.start()
        self.tick()

    def stop(self) -> None:
        """Read no more; what was known of the GPUs is forgotten."""
        self._timer.stop()
        self._gpu_free = {}

    def tick(self) -> None:
        """Read once; says nothing while the engine loads, whose share is not known then."""
        if self._world.engine.state.kind in ("loading", "restarting"):
            return
        self._ask_gpus()
        ours = self._world.engine.engine
        available = self._world.ports.read_memory().available_bytes + private_bytes(ours.engine_pid if ours else 0)
        self.read.emit(Reading(available, dict(self._gpu_free)))

    def _ask_gpus(self) -> None:
        devices = self._world.library.view.devices
        due = time.monotonic() - self._asked_s >= GPUS_EVERY_S
        if self._asking or not due or devices is None or not devices.gpus:
            return
        self._asking = True
        self._asked_s = time.monotonic()
        ports, pronk = self._world.ports, self._world.pronk
        self._world.tasks.run(
            lambda _: ports.find_devices(pronk), done=self._on_devices, failed=self._on_failed, owner=self
        )

    def _on_devices(self, devices: Devices) -> None:
        self._asking = False
        if self.running and self._world.engine.state.kind not in ("loading", "restarting"):
            ours = self._our_gpu_bytes()
            self._gpu_free = {
                gpu.id: min(gpu.total_bytes, gpu.free_bytes + ours.get(gpu.id, 0)) for gpu in devices.gpus
            }
            self.tick()

    def _on_failed(self, error: AppError) -> None:
        """Go on with what the plan says: a driver that does not answer was told of when the window opened."""
        self._asking = False
        self._gpu_free = {}

    def _our_gpu_bytes(self) -> dict[str, int]:
        """Return what the engine was seen to take of each GPU, else what its plan says."""
        plan = self._world.loaded_plan()
        devices = plan.devices if plan is not None else ()
        planned = {device.id: device.weights_bytes + device.kv_bytes + device.compute_bytes for device in devices}
        taken = self._world.engine.state.taken
        return {id_: max(0, taken.get(id_, planned_bytes)) for id_, planned_bytes in planned.items()}


def private_bytes(pid: int) -> int:
    """Return the main memory that a process alone holds; files it has mapped do not count. 0 when it is gone."""
    import psutil

    if not pid:
        return 0
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    if sys.platform == "win32":
        return int(memory.private)
    return max(0, int(memory.rss) - int(getattr(memory, "shared", 0)))
