"""Another plan after memory ran out: the devices are asked what they really give, and no more is planned with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.actions.context import Pronk
from app.actions.devices import find_devices
from app.actions.learned import what_was_learned
from app.actions.plan import plan_model, require_room
from app.actions.reserves import remember_reserve
from app.core.errors import AppError
from app.devices.values import Devices
from app.engine.recovery import HOST, Lesson
from app.engine.room import planned_use
from app.jobs.commands import module_command
from app.jobs.helper import Helper
from app.library.facts import ModelFacts
from app.plan.budget import Budgets, budgets_of
from app.plan.json import plan_document
from app.plan.values import LoadPlan, PlanRequest

MIB = 2**20
LESS_AFTER_LOAD_BYTES = 128 * MIB
LESS_AFTER_RUN_BYTES = 256 * MIB
HOST_MARGIN_BYTES = 96 * MIB
CAPACITY_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Wishes:
    """What the user asked for; `is_given`: with a plan of his own, whose context and KV type count as wishes."""

    request: PlanRequest
    rpc: tuple[str, ...] = ()
    is_given: bool = False


@dataclass(frozen=True)
class Room:
    """What is known of one device. gives: what it gave when it was asked for all that it says is free; used: what the
    plan that failed put there; reserve: what is kept free on such a device."""

    gives_bytes: int
    used_bytes: int
    reserve_bytes: int


class Replanner:
    """Plans one served model again; what it learned of a device counts for its own later plans too."""

    def __init__(self, pronk: Pronk, facts: ModelFacts, wishes: Wishes) -> None:
        self._pronk = pronk
        self._facts = facts
        self._wishes = wishes
        self._most: dict[str, int] = {}

    def __call__(self, lesson: Lesson) -> dict[str, Any]:
        """Return the document of the next plan; raises NotEnoughMemory when nothing fits."""
        wishes = self._wishes
        rpc = () if lesson.cpu_only else wishes.rpc
        try:
            devices = find_devices(self._pronk, rpc=rpc)
            self._learn(lesson, devices)
            devices = replace(devices, gpus=()) if lesson.cpu_only else devices
            plan = self._plan(lesson, devices, rpc)
        finally:
            self._pronk.close()
        require_room(plan, self._facts, wishes.request.force)
        return plan_document(plan)

    def _learn(self, lesson: Lesson, devices: Devices) -> None:
        """Measure the devices that refused, keep what they give; where figures told of the lack, the next do too."""
        short = [id_ for id_ in lesson.devices if id_ not in lesson.missing]
        claimed = {HOST: devices.memory.available_bytes, **{gpu.id: gpu.free_bytes for gpu in devices.gpus}}
        claimed = {id_: claimed[id_] for id_ in short if id_ in claimed}
        gives = self._capacity(claimed) if claimed else {}
        used = planned_use(lesson.plan)
        reserves = _reserves(budgets_of(devices, self._wishes.request.reserve_bytes))
        for id_, size in claimed.items():
            reserve = HOST_MARGIN_BYTES if id_ == HOST else reserves.get(id_, LESS_AFTER_RUN_BYTES)
            most = most_bytes(Room(gives.get(id_, size), used.get(id_, 0), reserve), lesson.phase == "run")
            self._most[id_] = min(most, self._most.get(id_, most))
            remember_reserve(self._pronk, self._facts, devices, id_, size - self._most[id_])

    def _capacity(self, claimed: Mapping[str, int]) -> dict[str, int]:
        helper = Helper(module_command("app.engine.capacity"), self._pronk.log("capacity"))
        try:
            return helper.ask("capacity", CAPACITY_TIMEOUT_S, rpc=list(self._wishes.rpc), devices=dict(claimed))
        except AppError:  # the child died of it, or a driver hangs: the device's own word counts
            return {}
        finally:
            helper.close()

    def _plan(self, lesson: Lesson, devices: Devices, rpc: tuple[str, ...]) -> LoadPlan:
        """Plan as the user wished, with fewer layers than were asked for where it must be.

        An answer that is under way keeps its context as long as there is any room for it.
        """
        request = replace(self._wishes.request, gpu_layers=None, parallel=int(lesson.plan["parallel"]))
        if self._wishes.is_given:
            context = int(lesson.plan["context"])
            request = replace(request, context=context, min_context=min(context, 4096), kv_type=lesson.plan["kv_type"])
        if not devices.gpus:
            request = replace(request, reserve_bytes=None)
        limited = self._limited(devices, request)
        if lesson.phase == "run":
            same = self._plan_on(limited, replace(request, context=int(lesson.plan["context"])), rpc)
            if same.verdict != "too_big":
                return same
        return self._plan_on(limited, request, rpc)

    def _plan_on(self, devices: Devices, request: PlanRequest, rpc: tuple[str, ...]) -> LoadPlan:
        plan = plan_model(self._pronk, self._facts, devices, request, rpc)
        wanted = self._wishes.request.gpu_layers
        if wanted is not None and devices.gpus and plan.n_gpu_layers > wanted:
            plan = plan_model(self._pronk, self._facts, devices, replace(request, gpu_layers=wanted), rpc)
        return plan

    def _limited(self, devices: Devices, request: PlanRequest) -> Devices:
        """Return the devices with so little free memory that a plan keeps to what was learned of them."""
        learned = what_was_learned(self._pronk, self._facts, devices).reserves
        reserves = _reserves(budgets_of(devices, request.reserve_bytes, learned))

        def free(id_: str, free_bytes: int) -> int:
            most = self._most.get(id_)
            return free_bytes if most is None else min(free_bytes, most + reserves.get(id_, 0))

        gpus = tuple(replace(gpu, free_bytes=free(gpu.id, gpu.free_bytes)) for gpu in devices.gpus)
        memory = replace(devices.memory, available_bytes=free(HOST, devices.memory.available_bytes))
        return replace(devices, gpus=gpus, memory=memory)


def most_bytes(room: Room, while_running: bool) -> int:
    """Return how much the next plan may put on a device that ran out of memory.

    It must keep its reserve of what the device really gives. Where that does not explain the failure (it gives more
    than the plan took), 128 MiB less than the plan took, 256 MiB less if memory ran out while the model was running.
    """
    most = room.gives_bytes - room.reserve_bytes
    counted = room.used_bytes + (room.reserve_bytes if while_running else 0)
    if counted <= room.gives_bytes:
        most = min(most, room.used_bytes - (LESS_AFTER_RUN_BYTES if while_running else LESS_AFTER_LOAD_BYTES))
    return max(0, most)


def _reserves(budgets: Budgets) -> dict[str, int]:
    return {budget.id: budget.reserve_bytes for budget in (budgets.host, *budgets.gpus)}
