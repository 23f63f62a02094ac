"""What a lender tells of its memory."""

from app.devices.lending import limited, main_memory, shares


def test_main_memory_keeps_some_for_the_lender() -> None:
    free, total = main_memory()
    assert 0 <= free <= total - 2 * 2**30


def test_limit_is_dealt_to_the_devices_in_order() -> None:
    assert shares(None, [5, 5]) == (None, None)
    assert shares(8, [6, 6]) == (6, 2)
    assert shares(3, [6, 6]) == (3, 0)


def test_limited_memory_falls_as_it_is_taken() -> None:
    free = [100]
    ask = limited(lambda: (free[0], 200), 30, 100)
    assert ask() == (30, 30)
    free[0] = 90
    assert ask() == (20, 30)
    free[0] = 10
    assert ask() == (0, 30)
    free[0] = 150
    assert ask() == (30, 30)
    assert limited(lambda: (7, 9), None, 7)() == (7, 9)
