"""This module keeps docs/sdks.md true: each of its sections belongs to the test that writes it.

HEADRACE_WRITE_DOCS=1 lets tests write their sections anew instead of comparing them.
"""

import os
import re
from pathlib import Path

__all__ = ["check_section"]

_PAGE = Path(__file__).parents[2] / "docs" / "sdks.md"
_START = re.compile(r"^(?=## )", re.MULTILINE)


def check_section(text: str) -> None:
    """Compare this section with that of the page which has the same first line, or write it there."""
    text = text.strip() + "\n"
    sections = [section.strip() + "\n" for section in _START.split(_PAGE.read_text())]
    at = next((at for at, section in enumerate(sections) if _heading(section) == _heading(text)), None)
    if os.environ.get("HEADRACE_WRITE_DOCS"):
        sections = [*sections[:at], text, *sections[at + 1 :]] if at is not None else [*sections, text]
        _PAGE.write_text("\n".join(sections))
    else:
        assert at is not None, f"docs/sdks.md has no section {_heading(text)!r}: see tests/system/sdk_page.py"
        assert sections[at] == text, "docs/sdks.md is not up to date: see tests/system/sdk_page.py"


def _heading(section: str) -> str:
    return section.partition("\n")[0]
