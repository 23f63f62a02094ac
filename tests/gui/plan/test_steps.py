"""Where the sliders stop, and what a bar is made of."""

import pytest

from app.gui.plan.memory import parts_of
from app.gui.plan.steps import context_steps, nearest, reserve_steps, whole_context
from app.gui.plan.values import Reading
from app.plan.values import DevicePlan

GB = 10**9


@pytest.mark.parametrize(
    ("trained", "first", "last", "count"),
    [(131_072, 4096, 131_072, 11), (40_960, 4096, 40_960, 8), (8192, 4096, 8192, 3), (2048, 512, 2048, 5)],
)
def test_contexts_double_up_to_the_trained_length(trained: int, first: int, last: int, count: int) -> None:
    steps = context_steps(trained)
    assert (steps[0], steps[-1], len(steps)) == (first, last, count)
    assert list(steps) == sorted(set(steps))


def test_an_unknown_or_tiny_trained_length_has_steps_too() -> None:
    assert context_steps(0)[-1] == 32_768
    assert context_steps(300) == (300,)


def test_reserves_end_at_half_a_device() -> None:
    assert reserve_steps(8 * GB)[-1] == 4 * GB
    assert reserve_steps(100 * GB)[-1] == 16 * GB
    assert reserve_steps(0) == (0, GB // 10)


def test_the_nearest_step() -> None:
    assert [nearest((0, 10, 20), value) for value in (-5, 4, 6, 14, 16, 99)] == [0, 0, 1, 1, 2, 2]
    assert [whole_context(tokens) for tokens in (1, 256, 257, 8000)] == [256, 256, 512, 8192]


def sizes(device: DevicePlan, fits: bool, reading: Reading | None = None) -> dict[str, int]:
    return {part.name: part.size_bytes for part in parts_of(device, fits, reading)}


def test_other_programs_are_what_is_neither_free_nor_ours() -> None:
    card = DevicePlan("CUDA0", 12 * GB, 11 * GB, GB, 5 * GB, 2 * GB, GB)
    assert sizes(card, True) == {"weights": 5 * GB, "kv": 2 * GB, "compute": GB, "reserve": GB, "other": GB}
    assert sizes(card, True, Reading(0, {"CUDA0": 10 * GB}))["other"] == 2 * GB
    assert sizes(card, True, Reading(99 * GB))["other"] == GB  # the driver was not asked yet
    host = DevicePlan("CPU", 16 * GB, 10 * GB, 2 * GB, GB, 0, 0)
    assert sizes(host, True, Reading(7 * GB))["other"] == 9 * GB


def test_what_is_kept_free_gives_way_to_other_programs() -> None:
    card = DevicePlan("CUDA0", 12 * GB, 11 * GB, GB, 5 * GB, 2 * GB, GB)
    pressed = sizes(card, True, Reading(0, {"CUDA0": 8 * GB + GB // 2}))
    assert pressed["reserve"] == GB // 2
    assert sum(pressed.values()) == 12 * GB
    crowded = sizes(card, True, Reading(0, {"CUDA0": GB}))
    assert (crowded["reserve"], sum(crowded.values())) == (0, 12 * GB)


def test_a_plan_that_does_not_fit_keeps_the_figures_it_was_made_with() -> None:
    card = DevicePlan("CUDA0", 12 * GB, 11 * GB, GB, 15 * GB, 2 * GB, GB)
    assert sum(sizes(card, False, Reading(0, {"CUDA0": 3 * GB})).values()) == 20 * GB
