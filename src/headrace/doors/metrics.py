"""This module counts what happens to runs, for Prometheus, under OpenTelemetry's GenAI names where they exist.

Source: OpenTelemetry semantic conventions for generative AI (status: development), metrics `gen_ai.server.*` and
`gen_ai.client.token.usage`, with dots as underscores and the unit appended, as Prometheus wants it. What the
conventions do not name is called `headrace_*`. Nothing is counted for a token: all of it happens at a run's start,
first token and end.
"""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from headrace.core.events import RunFailed
from headrace.runs.port import Outcome, Spec

__all__ = ["CONTENT_TYPE", "Meter"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
_PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS = tuple(4.0**power for power in range(14))


class Meter:
    """The figures of one server. Fills `runs.port.Observer`."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        named = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
        self._duration = Histogram(
            "gen_ai_server_request_duration_seconds",
            "How long runs took, by how they ended.",
            (*named, "error_type"),
            buckets=_DURATION,
            registry=registry,
        )
        self._first = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "From a run's start to its first token.",
            named,
            buckets=_FIRST,
            registry=registry,
        )
        self._per_token = Histogram(
            "gen_ai_server_time_per_output_token_seconds",
            "Time per token after the first.",
            named,
            buckets=_PER_TOKEN,
            registry=registry,
        )
        self._tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens of a run, as the provider counted them.",
            (*named, "gen_ai_token_type"),
            buckets=_TOKENS,
            registry=registry,
        )
        self._runs = Counter("headrace_runs", "Runs that ended, by status.", ("status",), registry=registry)
        self._known: dict[tuple[object, ...], Any] = {}

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a figure that is read when somebody asks."""
        Gauge(name, text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self._registry)

    def started(self, spec: Spec) -> None:
        """See `runs.port.Observer.started`."""

    def first_token(self, spec: Spec, model: str, seconds: float) -> None:
        """See `runs.port.Observer.first_token`."""
        del spec
        self._histogram(self._first, model).observe(seconds)

    def ended(self, spec: Spec, outcome: Outcome, seconds: float) -> None:
        """See `runs.port.Observer.ended`."""
        del spec
        model = outcome.model or ""
        terminal = outcome.terminal
        error = terminal.code if isinstance(terminal, RunFailed) else ""
        self._ended(outcome.status).inc()
        self._histogram(self._duration, model, error).observe(seconds)
        usage = outcome.usage
        if usage is None:
            return
        if usage.timings is not None and usage.timings.generation_ms and (usage.output_tokens or 0) > 1:
            per_token = usage.timings.generation_ms / 1000 / ((usage.output_tokens or 0) - 1)
            self._histogram(self._per_token, model).observe(per_token)
        if not usage.estimated:
            self._histogram(self._tokens, model, "input").observe(usage.input_tokens or 0)
            self._histogram(self._tokens, model, "output").observe(usage.output_tokens or 0)

    def _histogram(self, metric: Histogram, model: str, *more: str) -> Histogram:
        """Return the series of these labels. The library keeps them too, but to find one there costs 5 us."""
        found: Histogram | None = self._known.get((metric, model, more))
        if found is None:
            found = self._known[metric, model, more] = metric.labels(*_labels(model), *more)
        return found

    def _ended(self, status: str) -> Counter:
        found: Counter | None = self._known.get((status,))
        if found is None:
            found = self._known[status,] = self._runs.labels(status)
        return found


def _labels(model: str) -> tuple[str, str, str]:
    provider, _, name = model.partition("/")
    return "chat", provider, name
