from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.journals import KINDS, opened
from headrace.journal.port import Journal


@pytest.fixture(params=KINDS)
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    async with opened(request.param, tmp_path) as opened_journal:
        yield opened_journal
