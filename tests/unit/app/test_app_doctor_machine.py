import pytest

from headrace.app.doctor_machine import judge_clock, judge_memory, judge_open_files

GIB = 2**30


@pytest.mark.parametrize(("hard", "status"), [(None, "ok"), (65_536, "ok"), (1024, "warning")])
def test_each_answer_needs_open_files(hard: int | None, status: str) -> None:
    finding = judge_open_files(hard, 2000)
    assert finding.status == status
    assert status == "ok" or ("1024" in finding.what and "LimitNOFILE" in str(finding.remedy))


@pytest.mark.parametrize(("size", "status"), [(3, "ok"), (6, "warning"), (9, "problem")])
def test_a_model_must_fit_into_the_memory(size: int, status: str) -> None:
    finding = judge_memory("gemma", size * GIB, available=4 * GIB, total=8 * GIB)
    assert finding.status == status
    assert f"{size}.0 GiB" in finding.what
    assert status == "ok" or "smaller model" in str(finding.remedy)


@pytest.mark.parametrize(
    ("stamp", "jumped_s", "status"),
    [(99.0, 0.0, "ok"), (160.0, 0.4, "ok"), (99.0, -30.0, "warning"), (90_000.0, 0.0, "problem")],
)
def test_a_clock_is_not_behind_what_has_happened(stamp: float, jumped_s: float, status: str) -> None:
    finding = judge_clock(100.0, {"headrace.db": stamp}, jumped_s)
    assert finding.status == status
    assert status == "ok" or "timedatectl" in str(finding.remedy)
    assert status != "problem" or "headrace.db is 25 hours" in finding.what
