"""When plan after plan does not fit: the front with a real worker, and a planner that the test speaks for."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError, BadRequest, EngineFailed, NotEnoughMemory
from app.core.paths import Home
from app.engine.host import Host, Served
from app.engine.recovery import Lesson
from tests.support.engine import write_plan
from tests.support.models import smollm2_gguf

pytestmark = pytest.mark.native


def plans(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a plan that fits and one that counts on memory which is not there."""
    fits: dict[str, Any] = json.loads(write_plan(folder, context=256, parallel=1).read_text())
    host = {**fits["host"], "total_bytes": 2**50, "free_bytes": 2**50, "reserve_bytes": 2**49}
    return fits, {**fits, "host": host}


def served(home: Home, plan: Mapping[str, Any], replan: Any) -> Served:
    return Served(smollm2_gguf(), "model", plan, home.cache / "skeletons", replan)


async def _answer(host: Host) -> str:
    host.start()
    try:
        texts = []
        async for events in host.generate({"prompt": "One two three", "max_tokens": 3, "sampling": {"temperature": 0}}):
            texts += [event["text"] for event in events if event["event"] == "text"]
        return "".join(texts)
    finally:
        await asyncio.to_thread(host.stop)


def test_the_third_plan_is_for_the_processor_alone(home: Home, tmp_path: Path) -> None:
    fits, too_big = plans(tmp_path)
    lessons: list[Lesson] = []
    told: list[Mapping[str, Any]] = []

    def replan(lesson: Lesson) -> Mapping[str, Any]:
        lessons.append(lesson)
        return fits if lesson.cpu_only else too_big

    async def story() -> str:
        return await _answer(Host(served(home, too_big, replan), home.logs / "engine.log", told.append))

    assert asyncio.run(story())
    assert [lesson.cpu_only for lesson in lessons] == [False, False, True]
    assert all(lesson.devices == ("CPU",) and lesson.phase == "load" for lesson in lessons)
    kinds = [event["event"] for event in told if event["event"] != "progress"]
    assert kinds == ["replanned", "replanned", "replanned", "loaded"]


@pytest.mark.parametrize("error", [None, NotEnoughMemory("There is no plan.", hint="Buy memory."), BadRequest("No.")])
def test_it_gives_up_with_what_was_short(home: Home, tmp_path: Path, error: AppError | None) -> None:
    """After three plans, or as soon as the planner has none."""
    _, too_big = plans(tmp_path)
    lessons: list[Lesson] = []

    def replan(lesson: Lesson) -> Mapping[str, Any]:
        lessons.append(lesson)
        if error is not None:
            raise error
        return too_big

    async def story() -> None:
        await _answer(Host(served(home, too_big, replan), home.logs / "engine.log", lambda _: None))

    with pytest.raises(type(error) if error is not None else NotEnoughMemory) as raised:
        asyncio.run(story())
    assert len(lessons) == (3 if error is None else 1)
    if isinstance(raised.value, NotEnoughMemory):
        assert "TB on CPU are missing" in str(raised.value)


def test_a_fault_after_planning_again_ends_the_waiting(home: Home, tmp_path: Path) -> None:
    fits, too_big = plans(tmp_path)

    def tell(event: Mapping[str, Any]) -> None:
        if event["event"] == "replanned":
            raise RuntimeError("can't start new thread")

    async def story() -> str:
        host = Host(served(home, too_big, lambda _: fits), home.logs / "engine.log", tell)
        return await asyncio.wait_for(_answer(host), 60)

    with pytest.raises(EngineFailed, match=r"cannot go on .*can't start new thread"):
        asyncio.run(story())


def test_a_fault_of_the_front_while_loading_ends_the_waiting(home: Home, tmp_path: Path) -> None:
    fits, _ = plans(tmp_path)

    def tell(event: Mapping[str, Any]) -> None:
        if event["event"] == "loaded":
            raise MemoryError

    async def story() -> str:
        host = Host(served(home, fits, lambda _: fits), home.logs / "engine.log", tell)
        return await asyncio.wait_for(_answer(host), 60)

    with pytest.raises(EngineFailed, match=r"cannot go on .*MemoryError"):
        asyncio.run(story())
