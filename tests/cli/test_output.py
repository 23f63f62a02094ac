"""The line of progress on a terminal."""

from app.cli.output import _progress_line


def line(done: int, span_s: float, gained: int) -> str:
    event = {"phase": "quantize", "done_bytes": done, "total_bytes": 1_000_000_000}
    return _progress_line(event, span_s, gained)


def test_speed_and_time_left_are_those_of_the_phase() -> None:
    assert "100 MB/s, 5 s left" in line(500_000_000, 5.0, 500_000_000)


def test_what_an_earlier_run_did_makes_no_speed() -> None:
    assert "10.0 MB/s, 10 s left" in line(900_000_000, 2.0, 20_000_000)


def test_nothing_is_foretold_at_once() -> None:
    assert "left" not in line(900_000_000, 0.5, 20_000_000)
