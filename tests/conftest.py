"""What every test shares: with CI set, a skipped test is a failure; Ctrl-C reaches what tests start."""

import os
import signal
from typing import cast

import pytest


class _Skips:
    """Collects the skipped tests of the whole session, also those that xdist's workers report."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report, is_xfail=hasattr(report, "wasxfail"))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report, is_xfail=False)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.reasons and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.reasons:
            terminalreporter.section("skipped, which is a failure where CI is set", red=True)
            for test, reason in sorted(self.reasons.items()):
                terminalreporter.line(f"SKIPPED {test}: {reason}")

    def _note(self, report: pytest.TestReport | pytest.CollectReport, *, is_xfail: bool) -> None:
        if report.skipped and not is_xfail:
            _, _, reason = cast("tuple[str, int, str]", report.longrepr)
            self.reasons[report.nodeid] = reason.removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # so a shell starts what it puts in the background, and every process inherits it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    is_worker = hasattr(config, "workerinput")
    if in_ci and not is_worker:
        config.pluginmanager.register(_Skips(), "headrace-skips")
