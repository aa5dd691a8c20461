from headrace.client.backoff import Backoff


def test_waits_double_up_to_five_seconds() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    assert [backoff.wait_s() for _ in range(7)] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_chance_shortens_a_wait_to_half_at_most() -> None:
    assert Backoff(chance=lambda: 0.0).wait_s() == 0.125


def test_after_a_success_the_waits_start_again() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    backoff.wait_s()
    backoff.wait_s()
    backoff.reset()
    assert backoff.wait_s() == 0.25
