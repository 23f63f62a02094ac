"""Decisions after memory ran out, by tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import EngineFailed
from app.engine.oom import oom_kills
from app.engine.open_requests import OpenRequest
from app.engine.recovery import TRIES_MAX, WINDOW_S, Death, Tries, has_spilled, lesson_of, sentence, short_devices
from app.engine.room import missing_room

GIB, MIB = 2**30, 2**20


def device(id_: str, total: int = 0, free: int = 0, reserve: int = 0, use: int = 0) -> dict[str, Any]:
    sizes = {"total_bytes": total, "free_bytes": free, "reserve_bytes": reserve}
    return {"id": id_, **sizes, "weights_bytes": use, "kv_bytes": 0, "compute_bytes": 0}


def plan(*devices: dict[str, Any], host: dict[str, Any] | None = None) -> dict[str, Any]:
    layers = {"n_gpu_layers": 12, "n_layers_total": 31, "context": 4096}
    return {**layers, "devices": list(devices), "host": host or device("CPU")}


MIXED = plan(device("RPC0"), device("CUDA0"), device("CUDA1"))
DEATH = Death("run", "It ended.", -6, "")


@pytest.mark.parametrize(
    ("said", "devices"),
    [
        ("ggml-rpc.cpp:569: Remote RPC server crashed or returned malformed response", ("RPC0",)),
        ("Loading m.gguf failed: The device RPC0 is gone.", ("RPC0",)),
        ("CUDA error: out of memory\n  current device: 1, in function alloc", ("CUDA0", "CUDA1")),
        ("alloc_tensor_range: failed to allocate RPC0[127.0.0.1:50052] buffer of size 188743680", ("RPC0",)),
        ("cudaMalloc failed: out of memory\nfailed to allocate CUDA1 buffer of size 5", ("CUDA1",)),
        ("ggml_aligned_malloc: insufficient memory\nfailed to allocate CPU buffer of size 12", ("CPU",)),
        ("failed to allocate CUDA_Host buffer of size 12", ("CPU",)),
        ("terminate called after throwing an instance of 'std::bad_alloc'", ("CPU",)),
        ("Segmentation fault", ()),
        ("", ()),
    ],
)
def test_who_was_short(said: str, devices: tuple[str, ...]) -> None:
    assert short_devices(replace(DEATH, said=said), MIXED) == devices


def test_a_kill_is_no_lack_of_memory_unless_the_system_did_it() -> None:
    killed = replace(DEATH, returncode=-9, said="failed to allocate CPU buffer of size 1")
    assert short_devices(killed, MIXED) == ()
    assert short_devices(replace(killed, oom_killed=True), MIXED) == ("CPU",)
    assert lesson_of(killed, MIXED, is_last=False) is None


def test_what_the_worker_counted_goes_before_its_words() -> None:
    death = replace(DEATH, phase="load", missing={"CUDA0": 5 * MIB}, said="failed to allocate CPU buffer of size 1")
    lesson = lesson_of(death, MIXED, is_last=True)
    assert lesson is not None
    assert (lesson.devices, lesson.missing, lesson.cpu_only) == (("CUDA0",), {"CUDA0": 5 * MIB}, True)


def test_three_tries_in_five_minutes() -> None:
    tries: Tries | None = Tries()
    for number in range(1, TRIES_MAX + 1):
        assert tries is not None
        tries = tries.next(float(number))
        assert tries is not None
        assert tries.is_last == (number == TRIES_MAX)
    assert tries is not None
    assert tries.next(10.0) is None
    later = tries.next(WINDOW_S + 2.5)
    assert later is not None
    assert later.times_s == (3.0, WINDOW_S + 2.5)


def test_one_plain_sentence() -> None:
    lesson = lesson_of(replace(DEATH, said="bad_alloc"), MIXED, is_last=False)
    assert lesson is not None
    assert sentence(lesson, MIXED) == (
        "Memory ran out while the model was answering: the model is loaded again, with 12 of 31 layers on the GPU, "
        "with a context of 4,096 tokens."
    )
    alone = sentence(replace(lesson, phase="load"), {**MIXED, "n_gpu_layers": 0})
    assert alone.startswith("The model did not fit: the model is loaded again, on the processor alone,")


def test_a_lender_that_is_gone_is_no_lack_of_memory() -> None:
    lesson = lesson_of(replace(DEATH, said="Remote RPC server crashed"), MIXED, is_last=False)
    assert lesson is not None
    left = {**MIXED, "devices": [d for d in MIXED["devices"] if d["id"] not in lesson.devices], "n_gpu_layers": 0}
    told = "The computer that lent its memory no longer answers: the model is loaded again, on the processor alone,"
    assert sentence(lesson, left).startswith(told)
    assert sentence(lesson, MIXED).startswith("Memory ran out")


@pytest.mark.parametrize(
    ("free_now", "missing"),
    [
        (10 * GIB, {}),
        (10 * GIB - 64 * MIB, {}),  # it may have fallen by so much
        (9 * GIB, {}),  # it fell, and the plan still fits
        (8 * GIB, {"CUDA0": GIB // 2}),
        (0, {"CUDA0": 8 * GIB + GIB // 2}),
    ],
)
def test_room_is_looked_for_where_memory_fell(free_now: int, missing: dict[str, int]) -> None:
    found = plan(device("CUDA0", 12 * GIB, 10 * GIB, GIB // 2))
    assert missing_room(found, {"CPU": GIB, "CUDA0": 8 * GIB}, {"CPU": 0, "CUDA0": free_now}) == missing


def test_a_plan_over_its_budget_is_not_held_to_it() -> None:
    """It was forced: what counts is that memory fell."""
    found = plan(device("CUDA0", 12 * GIB, 10 * GIB, GIB // 2))
    assert missing_room(found, {"CUDA0": 11 * GIB}, {"CPU": 0, "CUDA0": 10 * GIB}) == {}


@pytest.mark.filterwarnings("error")
def test_a_request_is_continued_not_repeated() -> None:
    import asyncio

    async def story() -> list[dict[str, Any]]:
        request = OpenRequest({"op": "generate", "id": 1, "prompt": "Hi"})
        request.take({"event": "start"})
        assert request.again() == request.command
        request.take({"event": "text", "text": "One "})
        request.take({"event": "text", "text": "two "})
        assert request.again() == {**request.command, "written": "One two "}
        request.take({"event": "start"})  # the second worker's
        request.take({"event": "text", "text": "three"})
        assert not request.ended
        request.take({"event": "end"})
        assert request.ended
        request.fail(EngineFailed("over"))
        return [request.events.get_nowait() for _ in range(request.events.qsize())]

    events = asyncio.run(story())
    assert [event["event"] for event in events] == ["start", "text", "text", "text", "end", "error"]


def test_the_systems_kills_are_counted(tmp_path: Path) -> None:
    table = tmp_path / "vmstat"
    table.write_text("nr_free_pages 1\noom_kill 4\noom_kill_other 9\n")
    assert oom_kills(table) == 4
    assert oom_kills(tmp_path / "none") == 0
    assert oom_kills() >= 0


@pytest.mark.parametrize(
    ("layers_bytes", "n_tokens", "tokens_per_s", "spilled"),
    [(GIB, 100, 15.0, True), (GIB, 100, 17.0, False), (GIB, 8, 2.0, False), (0, 100, 2.0, False), (GIB, 100, 0, False)],
)
def test_a_card_that_moves_memory_out_is_slow(
    layers_bytes: int, n_tokens: int, tokens_per_s: float, spilled: bool
) -> None:
    found = {**plan(device("CUDA0", use=layers_bytes)), "expected": {"decode_tokens_per_s": 40.0}}
    assert has_spilled(found, n_tokens, tokens_per_s) == spilled
