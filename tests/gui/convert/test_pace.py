"""Speed, time left and the bar, from lists of events."""

from app.gui.convert.pace import Pace


def event(phase: str, done: int, total: int, elapsed_s: float) -> dict[str, object]:
    return {"event": "progress", "phase": phase, "done_bytes": done, "total_bytes": total, "elapsed_s": elapsed_s}


def after(*events: dict[str, object]) -> Pace:
    pace = Pace()
    for one in events:
        pace.take(one)
    return pace


def test_nothing_is_said_before_it_is_known() -> None:
    pace = after(event("quantize", 0, 100, 3.0), event("quantize", 1, 100, 3.1))
    assert (pace.bytes_per_s, pace.left_s) == (0, None)


def test_the_speed_is_that_of_the_last_seconds() -> None:
    slow = [event("quantize", 10 * second, 10_000, second) for second in range(20)]
    fast = [event("quantize", 190 + 100 * second, 10_000, 19 + second) for second in range(1, 8)]
    assert after(*slow).bytes_per_s == 10
    assert after(*slow, *fast).bytes_per_s == 100


def test_what_an_earlier_run_did_is_no_speed() -> None:
    pace = after(event("quantize", 9000, 10_000, 0.5), event("quantize", 9100, 10_000, 1.5))
    assert pace.bytes_per_s == 100
    assert pace.share > 0.75
    assert pace.left_s is not None
    assert 9 <= pace.left_s < 30


def test_phases_are_not_mixed() -> None:
    pace = after(event("quantize", 0, 10_000, 0), event("quantize", 10_000, 10_000, 2), event("check", 0, 500, 2.5))
    assert pace.bytes_per_s == 0
    pace.take(event("check", 100, 500, 4.5))
    assert pace.bytes_per_s == 50


def test_a_phase_that_comes_again_takes_nothing_back() -> None:
    pace = after(event("check", 100, 100, 1.0))
    share = pace.share
    pace.take(event("quantize", 0, 100, 2.0))
    assert pace.share == share


def test_a_trial_answer_has_no_foretold_end() -> None:
    pace = after(event("check", 0, 1000, 1.0), event("check", 500, 1000, 3.0))
    assert pace.left_s is not None
    pace.take(event("check", 1000, 1000, 5.0))
    assert pace.left_s is None


def test_the_bar_never_goes_back() -> None:
    shares = []
    pace = Pace()
    for phase in ("read", "quantize", "check", "write"):
        for done in (0, 50, 100):
            pace.take(event(phase, done, 100, 1.0))
            shares.append(pace.share)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    pace.take(event("something new", 0, 100, 1.0))
    assert pace.share == 1


def test_a_phase_without_bytes_fills_nothing() -> None:
    assert after(event("quantize", 0, 0, 1.0)).share == 0.02
