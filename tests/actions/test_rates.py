"""Measured speeds: kept by device, engine and type; measured once; used by plans."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.actions.context import Pronk
from app.actions.devices import find_devices
from app.actions.learned import what_was_learned
from app.actions.measuring import fastest, measure_computer, thread_counts
from app.actions.rate_book import CACHE_NAME, Measurable, better, open_book
from app.actions.rates import (
    MOST_TRIES,
    Measuring,
    _tuning_key,
    is_settled,
    is_usable,
    main_types,
    measurables,
    measure_missing,
    rates_for,
)
from app.core.errors import Cancelled
from app.core.paths import Home
from app.library.facts import ModelFacts
from app.library.facts_reader import read_facts
from app.plan.values import Learned
from tests.support.machines import machine
from tests.support.models import smollm2_gguf

HERE = replace(machine(), engine_version="test")
BUSY, QUIET = 0.5, 0.0


@pytest.fixture
def pronk(home: Home) -> Iterator[Pronk]:
    pronk = Pronk(home)
    yield pronk
    pronk.close()


@pytest.fixture(scope="module")
def facts() -> ModelFacts:
    return read_facts(smollm2_gguf())


def test_the_types_that_matter(facts: ModelFacts) -> None:
    assert main_types(facts) == ("Q4_1", "Q8_0")


@pytest.mark.native
def test_a_plan_measures_what_it_needs_once(pronk: Pronk, facts: ModelFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = replace(HERE, cpu=replace(HERE.cpu, physical_cores=1))
    for _ in range(MOST_TRIES):  # a busy machine is measured again, so often and no more
        measure_missing(pronk, facts, devices, budget_s=60)
    monkeypatch.setattr("app.actions.rates.MOST_OTHERS_AT_LAST", 1.0)
    learned = what_was_learned(pronk, facts, devices)
    kept = (pronk.home.cache / CACHE_NAME).read_bytes()
    what_was_learned(pronk, facts, devices, measuring=lambda: None)
    assert (pronk.home.cache / CACHE_NAME).read_bytes() == kept
    assert not list((pronk.home.cache / "benchmark").iterdir())
    pace = learned.paces["CPU"]
    assert 0 < pace.layer_s < 0.1
    assert 0 < pace.attention_decode_s < 1e-6
    assert 0 < pace.attention_prefill_s < 1e-6
    for name in ("Q4_1", "Q8_0"):
        rate = learned.rates["CPU", name]
        assert 1e7 < rate.decode_bytes_per_s < 1e12
        assert 1e8 < rate.prefill_flops < 1e14
    assert not rates_for(pronk, replace(devices, engine_version="another")).rates


def test_a_child_that_dies_costs_only_its_figures(
    pronk: Pronk, facts: ModelFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.actions.rates.module_command", lambda *_: ["false"])
    for _ in range(MOST_TRIES):
        measure_missing(pronk, facts, HERE)
    assert rates_for(pronk, HERE).rates == {}
    monkeypatch.setattr("app.actions.rates.module_command", lambda *_: pytest.fail("asked again"))
    measure_missing(pronk, facts, HERE)


@pytest.mark.parametrize("text", ["", "[]", '{"CPU | Test CPU | test | 8 threads": {"types": {"Q4_K": {"tries": 9}}}}'])
def test_a_damaged_cache_is_as_good_as_none(pronk: Pronk, text: str) -> None:
    (pronk.home.cache / CACHE_NAME).write_text(text)
    assert rates_for(pronk, HERE).rates == {}


def test_the_better_measurement_is_kept_until_it_is_settled() -> None:
    first = better(None, {"speed": 5.0, "others": BUSY}, least=False)
    assert not is_settled(first)
    second = better(first, {"speed": 9.0, "others": QUIET}, least=False)
    assert is_settled(second)
    assert second == {"speed": 9.0, "others": QUIET, "tries": 2}
    third = better(
        better(first, {"speed": 4.0, "others": BUSY}, least=False), {"speed": 3.0, "others": BUSY}, least=False
    )
    assert is_settled(third)
    assert not is_usable(third)
    assert is_usable(second)
    assert third["speed"] == 5.0
    failed = better(None, {"failed": "no such type"}, least=False)
    assert not is_settled(failed)
    assert better(second, {"failed": "died"}, least=False)["speed"] == 9.0


def test_threads_and_pieces_must_be_clearly_faster() -> None:
    assert thread_counts(8, 16) == (8, 7, 4, 16)
    assert thread_counts(1, 1) == (1,)
    assert fastest({8: 10.0, 7: 9.8, 4: 20.0}, 8) == (8, 1.0)
    assert fastest({8: 10.0, 7: 5.0}, 8) == (7, 2.0)
    assert fastest({}, 512) == (512, 1.0)


def test_tuned_figures_reach_the_planner(pronk: Pronk) -> None:
    from app.actions.rates import keep_tuned

    book = open_book(pronk)
    keep_tuned(book, HERE, {"n_threads": 6, "n_ubatch": 256})
    book.save()
    learned = rates_for(pronk, HERE)
    assert (learned.n_threads, learned.n_ubatch) == (6, 256)
    assert json.loads(Path(pronk.home.cache / CACHE_NAME).read_text())


@pytest.mark.native
def test_the_computer_is_measured_and_the_figures_kept(pronk: Pronk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.actions.measuring.USUAL_TYPES", ("Q8_0",))
    monkeypatch.setattr("app.actions.measuring.PIECES", (128,))
    monkeypatch.setattr("app.actions.measuring.THREADS_PIECE", 64)
    monkeypatch.setattr("app.actions.measuring.PASSES", 1)
    events: list[Mapping[str, Any]] = []
    result = measure_computer(pronk, events.append)
    assert {event["phase"] for event in events} == {"threads", "pieces", "speed"}
    assert [event["done"] for event in events] == list(range(events[0]["total"]))
    assert [(rate["device"], rate["type"]) for rate in result["rates"]] == [("CPU", "Q8_0")]
    assert result["gain"] >= 1
    learned = rates_for(pronk, find_devices(pronk))
    kept = (result["n_threads"], result["n_ubatch"]) if result["kept"] else (None, None)
    assert (learned.n_threads, learned.n_ubatch) == kept


@pytest.mark.parametrize(("others", "kept"), [(0.05, True), (0.6, False)])
def test_what_was_tuned_beside_other_programs_is_not_kept(
    pronk: Pronk, monkeypatch: pytest.MonkeyPatch, others: float, kept: bool
) -> None:
    def tasks(_: Measuring, __: Measurable, ___: str, n_threads: Sequence[int], ____: int) -> dict[str, Any]:
        return {"tasks": [{"prefill_s": count * 1e-3, "decode_s": 0.1} for count in n_threads], "others": others}

    monkeypatch.setattr(Measuring, "tasks", tasks)
    monkeypatch.setattr(Measuring, "into", lambda *_: None)
    result = measure_computer(pronk)
    assert (result["kept"], result["others"]) == (kept, others)
    tuned = rates_for(pronk, find_devices(pronk)).n_threads
    assert tuned == (result["n_threads"] if kept else None)


def test_measuring_can_be_cancelled(pronk: Pronk) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        measure_computer(pronk, cancel=cancel)


@pytest.mark.parametrize(
    "damage",
    [
        "[" * 100_000,
        '{"KEY": 5}',
        '{"KEY": []}',
        '{"KEY": {"types": 5}}',
        '{"KEY": {"types": {"Q4_K": 5, "Q8_0": {}}, "pace": 5}}',
        '{"KEY": {"types": {"Q4_K": {"tries": "x", "others": 0, "decode_bytes_per_s": 1e9, "prefill_flops": 1e9}}}}',
        '{"KEY": {"types": {"Q4_K": {"tries": 1, "others": 0, "decode_bytes_per_s": 0, "prefill_flops": 1e9}}}}',
        '{"KEY": {"types": {"Q4_K": {"tries": 1, "others": 0, "decode_bytes_per_s": 1e999, "prefill_flops": 1}}}}',
        '{"TUNED": {"n_threads": "x", "n_ubatch": -5}}',
        '{"TUNED": {"n_threads": true}}',
    ],
)
def test_damaged_figures_count_as_none(pronk: Pronk, damage: str) -> None:
    book = open_book(pronk)
    (device, *_), tuning = measurables(book, HERE), _tuning_key(HERE)
    text = damage.replace("KEY", device.identity.replace('"', "")).replace("TUNED", tuning)
    (pronk.home.cache / CACHE_NAME).write_text(text)
    assert rates_for(pronk, HERE) == Learned()
    book = open_book(pronk)
    assert not is_settled(book.entries(device)["types"].get("Q4_K"))
