"""This module has the scripts that the provider `script` plays in these tests."""

import json
from pathlib import Path
from typing import Any

__all__ = ["write_scripts"]

_FINISH = {"finish": "stop"}

_SCRIPTS: dict[str, list[dict[str, Any]]] = {
    # two tokens, then silence until it is stopped; who goes on with it gets the rest
    "pause": [{"text": "one "}, {"text": "two "}, {"hang": True}, {"text": "three "}, {"text": "four"}, _FINISH],
    "steady": [{"text": "{i} ", "repeat": 60, "wait_ms": 20}, _FINISH],
    "hang": [{"hang": True}],
    # what is easily broken by cuts: characters of two to four bytes, line ends of Unicode, thoughts before text
    "scenic": [
        {"reasoning": "hm, a\u2028line "},
        {"reasoning": "\U0001f914 "},
        {"text": "{i} Z\u00fcrich \U0001f686 \u65e5\u672c\u8a9e\u2029 \u0085\r\n\n", "repeat": 120},
        {"tool_call": {"name": "weather", "arguments": '{"city": "Z\u00fcrich"}'}},
        {"usage": {"input_tokens": 3, "output_tokens": 120}},
        _FINISH,
    ],
    "live-scenic": [{"text": "{i} Z\u00fcrich \U0001f686 \u65e5\u672c\u8a9e ", "repeat": 250, "wait_ms": 2}, _FINISH],
    # waits that are far apart, so that their order and total show in a replay
    "rhythm": [
        {"text": "a "},
        {"text": "b ", "wait_ms": 120},
        {"text": "c ", "wait_ms": 20},
        {"text": "d ", "wait_ms": 240},
        _FINISH,
    ],
    "phases": [
        {"loading": True},
        {"loading": 0.5},
        {"progress": {"read": 5, "total": 10}},
        {"reasoning": "thinking"},
        {"text": "answer"},
        {"usage": {"input_tokens": 10, "output_tokens": 2, "reasoning_tokens": 1}},
        {"finish": "length"},
    ],
    "live-echo": [{"text": "{prompt}", "words": True, "wait_ms": 2}, _FINISH],
    # two tokens, late enough that the stream has begun, then a failure
    "breaks": [
        {"text": "one ", "wait_ms": 60},
        {"text": "two "},
        {"fail": {"code": "upstream_closed", "message": "The model went away."}},
    ],
    "refuses": [{"fail": {"code": "context_too_long", "message": "The prompt is too long by half."}}],
}


def write_scripts(folder: Path) -> Path:
    """Write the scripts into the folder and return it."""
    for name, steps in _SCRIPTS.items():
        (folder / f"{name}.json").write_text(json.dumps(steps))
    return folder
