import pytest

from headrace.app.doctor_url import Arrival, judge_arrivals, judge_headers

DUE = [number / 10 for number in range(21)]


def test_a_way_that_is_long_but_even_is_good() -> None:
    finding = judge_arrivals([Arrival(100.3 + due, due) for due in DUE])
    assert finding.status == "ok"
    assert "21 over 2.0 s" in finding.what


def test_events_that_come_all_at_the_end_were_held_back() -> None:
    finding = judge_arrivals([Arrival(102.0, due) for due in DUE])
    assert finding.status == "problem"
    assert "2.0 s late" in finding.what
    for word in ("proxy_buffering off", "gzip", "proxy_read_timeout", "flush_interval"):
        assert word in str(finding.remedy)


def test_events_that_come_in_heaps_were_held_back() -> None:
    finding = judge_arrivals([Arrival(100.0 + (1.0 if due <= 1.0 else 2.0), due) for due in DUE])
    assert finding.status == "problem"
    assert "1.0 s late" in finding.what


@pytest.mark.parametrize("due", [[], [0.0], [0.0, 0.4]])
def test_a_short_run_tells_nothing(due: list[float]) -> None:
    assert judge_arrivals([Arrival(100.0, each) for each in due]).status == "warning"


@pytest.mark.parametrize(
    ("headers", "status", "word"),
    [
        ({"cache-control": "no-cache, no-transform"}, "ok", "get through"),
        ({"cache-control": "no-cache, no-transform", "content-encoding": "br"}, "warning", "br"),
        ({"cache-control": "max-age=60"}, "warning", "max-age=60"),
        ({}, "warning", "Cache-Control"),
    ],
)
def test_what_the_server_asks_of_proxies_must_get_through(headers: dict[str, str], status: str, word: str) -> None:
    finding = judge_headers(headers)
    assert (finding.status, word in finding.what) == (status, True)
