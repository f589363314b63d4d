from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aifactory.models.retry import Breaker, RetryPolicy

LUCK = st.floats(0, 1, exclude_max=True)


@given(failed=st.integers(1, 50), luck=LUCK)
def test_a_delay_grows_to_its_limit_and_never_vanishes(failed: int, luck: float) -> None:
    policy = RetryPolicy(first_delay=1, longest_delay=60)
    delay = policy.delay(failed, None, luck)
    assert min(60, 2 ** (failed - 1)) / 2 <= delay <= 60
    assert policy.delay(failed + 1, None, luck) >= delay


@given(failed=st.integers(1, 50), wish=st.floats(0, 1e6), luck=LUCK)
def test_a_provider_is_never_asked_sooner_than_it_wished(
    failed: int, wish: float, luck: float
) -> None:
    assert RetryPolicy().delay(failed, wish, luck) >= wish


def test_calls_that_failed_together_do_not_come_back_together() -> None:
    policy = RetryPolicy()
    assert policy.delay(3, 5, 0.1) != policy.delay(3, 5, 0.9)


def opened() -> Breaker:
    breaker = Breaker(failures=3, first_pause=10, longest_pause=30)
    for _ in range(3):
        assert breaker.wait("p", 0) == 0
        breaker.failed("p", 0)
    return breaker


def test_failures_in_a_row_pause_one_provider_only() -> None:
    breaker = opened()
    assert breaker.wait("p", 4) == 6
    assert breaker.wait("other", 4) == 0


def test_a_success_between_failures_keeps_the_way_open() -> None:
    breaker = Breaker(failures=3)
    for _ in range(10):
        breaker.failed("p", 0)
        breaker.succeeded("p")
    assert breaker.wait("p", 0) == 0


def test_after_the_pause_one_probe_goes_and_the_others_wait() -> None:
    breaker = opened()
    assert breaker.wait("p", 10) == 0
    assert breaker.wait("p", 10) == 10
    breaker.succeeded("p")
    assert breaker.wait("p", 11) == 0


def test_a_probe_that_fails_doubles_the_pause_up_to_its_limit() -> None:
    breaker, now = opened(), 10.0
    for pause in (20, 30, 30):
        assert breaker.wait("p", now) == 0
        breaker.failed("p", now)
        assert breaker.wait("p", now) == pause
        now += pause


def test_late_failures_of_calls_sent_before_the_pause_do_not_prolong_it() -> None:
    breaker = opened()
    for _ in range(8):
        breaker.failed("p", 1)
    assert breaker.wait("p", 1) == 9
