"""How long a lent device may take for a step."""

from app.engine.patience import LEAST_S, Patience, most_step_s
from tests.support.waiting import wait_until

PLAN = {"n_gpu_layers": 10, "n_ubatch": 512, "expected": {"prefill_tokens_per_s": 100.0}}


def test_only_a_step_under_way_can_take_too_long() -> None:
    patience = Patience()
    assert not patience.is_over
    with patience.step(0.05):
        wait_until(lambda: patience.is_over, 5, "the end of patience")
    assert not patience.is_over


def test_without_a_lender_any_time_is_allowed() -> None:
    assert most_step_s(PLAN, lent=False) is None
    assert most_step_s({**PLAN, "n_gpu_layers": 0}, lent=True) is None
    patience = Patience()
    with patience.step(None):
        patience.renew()
        assert not patience.is_over


def test_who_gets_on_is_given_the_whole_time_again() -> None:
    patience = Patience()
    with patience.step(0.05):
        wait_until(lambda: patience.is_over, 5, "the end of patience")
        patience.renew()
        assert not patience.is_over


def test_slow_lenders_are_given_time() -> None:
    assert most_step_s(PLAN, lent=True) == 20 * 512 / 100
    assert most_step_s({**PLAN, "expected": {"prefill_tokens_per_s": 1e5}}, lent=True) == LEAST_S
    assert (most_step_s({**PLAN, "expected": {"prefill_tokens_per_s": 0}}, lent=True) or 0) > 1e4
