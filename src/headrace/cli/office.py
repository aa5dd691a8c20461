"""This module lets a command say who may, in the data folder."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from headrace.app.access import Office, opened
from headrace.cli.options import FAILED, REFUSED, fail, load
from headrace.core.errors import CallerError, HeadraceError, SettingsError

__all__ = ["in_office"]

T = TypeVar("T")


def in_office(work: Callable[[Office], Awaitable[T]], config: Path | None, data_dir: str | None) -> T:
    """Return what `work` does there, or end the command where it fails."""
    settings = load(config, data_dir)

    async def worked() -> T:
        async with opened(settings) as office:
            return await work(office)

    try:
        return asyncio.run(worked())
    except (CallerError, SettingsError) as error:
        fail(error.message, status=REFUSED)
    except HeadraceError as error:
        fail(error.message, status=FAILED)
