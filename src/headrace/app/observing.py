"""This module watches runs: one log line at start, first token and end, with ids and never the text."""

import structlog

from headrace.core.events import RunFailed
from headrace.providers.health import Watch
from headrace.runs.port import Outcome, Spec

__all__ = ["RunLog", "Suspicion"]

logger = structlog.get_logger("headrace.runs")


class RunLog:
    """Fills `runs.port.Observer`."""

    def __init__(self) -> None:
        self._logger = logger.bind()  # once: what structlog does for each line of an unbound one costs a fifth of it

    def started(self, spec: Spec) -> None:
        """See `runs.port.Observer.started`."""
        self._logger.info("run.started", **_ids(spec), model=spec.model or "auto")

    def first_token(self, spec: Spec, model: str, seconds: float) -> None:
        """See `runs.port.Observer.first_token`."""
        self._logger.info("run.first_token", **_ids(spec), model=model, first_token_ms=round(seconds * 1000))

    def ended(self, spec: Spec, outcome: Outcome, seconds: float) -> None:
        """See `runs.port.Observer.ended`."""
        failed = outcome.terminal if isinstance(outcome.terminal, RunFailed) else None
        self._logger.info(
            "run.ended",
            **_ids(spec),
            model=outcome.model,
            status=outcome.status,
            code=failed.code if failed is not None else None,
            events=outcome.seq + 1,
            output_tokens=outcome.usage.output_tokens if outcome.usage is not None else None,
            total_ms=round(seconds * 1000),
        )


class Suspicion:
    """Has a provider looked at as soon as it refuses a run. Fills `runs.port.Observer`."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def started(self, spec: Spec) -> None:
        """See `runs.port.Observer.started`."""

    def first_token(self, spec: Spec, model: str, seconds: float) -> None:
        """See `runs.port.Observer.first_token`."""

    def ended(self, spec: Spec, outcome: Outcome, seconds: float) -> None:
        """See `runs.port.Observer.ended`."""
        del spec, seconds
        if isinstance(outcome.terminal, RunFailed) and outcome.terminal.code in _SUSPICIOUS and outcome.model:
            self._watch.suspect(outcome.model.partition("/")[0])


_SUSPICIOUS = frozenset({"upstream_refused", "engine_died"})


def _ids(spec: Spec) -> dict[str, str | int | None]:
    return {"run": spec.run_id, "owner": spec.owner, "chat": spec.chat_id, "message": spec.assistant_message_id}
