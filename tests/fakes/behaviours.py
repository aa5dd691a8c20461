"""This module finds how a fake model behaves by its name."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["Behaviours"]


class Behaviours:
    """What answers a request over its connection, for each model whose name is a pattern."""

    def __init__(self) -> None:
        self._known: list[tuple[re.Pattern[str], Callable[..., Awaitable[None]]]] = []

    def named(self, pattern: str) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
        """Register a function of a connection, a request and the pattern's groups, which are numbers."""

        def register(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
            self._known.append((re.compile(pattern), function))
            return function

        return register

    def of(self, model: str) -> Callable[[Any, Any], Awaitable[None]] | None:
        """Return what answers a request for this model; None where no pattern is its name."""
        for pattern, function in self._known:
            match = pattern.fullmatch(model)
            if match:
                numbers = [int(group) for group in match.groups() if group is not None]
                return lambda connection, request: function(connection, request, *numbers)
        return None
