"""This module makes our errors of those that OpenAI-compatible servers send.

Their shapes: `{"error": {"message", "type", "code", "param"}}` (OpenAI, llama.cpp, vLLM, OpenRouter), `{"error": "..."}`
(LM Studio, Ollama), `{"object": "error", "message", ...}` (older vLLM), `{"detail": ...}` (FastAPI), or a proxy's page.
The server's own words are kept, as far as they may be shown: one line, cut, and without anything like a key, or like an
address of its own network.
"""

import re
from http import HTTPStatus
from typing import Any

from headrace.core.errors import ProviderError
from headrace.core.refusal import LIMITED, OF_REQUEST, Refusal
from headrace.formats import jsontext

__all__ = ["error_in", "error_of", "presentable"]

_MAX_MESSAGE = 500
_MAX_NAME = 100  # of a field or a code
_MAX_READ = 8000  # a message is read this far and no further; well above what is shown, so that no cut key slips by
_BUSY = frozenset({LIMITED, 503, 529})  # 529: Anthropic's "overloaded", passed on by routers
_TOLD = frozenset({"content_filtered", "context_too_long", "overloaded", "upstream_error"})
"""Of these a caller may know what the server answered; the rest is not the caller's business, or says all in itself."""

_HINTS = {
    "context_too_long": re.compile(
        r"context.{0,10}(length|size|window|limit|overflow)|exceed_context|maximum model length"
        r"|too many (input )?tokens|(prompt|input|request) (is )?too (long|large)",
        re.IGNORECASE,
    ),
    "content_filtered": re.compile(r"content_filter|content_policy|content management policy", re.IGNORECASE),
    "unknown_model": re.compile(
        r"model_not_found|model.{0,80}(not found|does not exist)|not a valid model|no such model",
        re.IGNORECASE,
    ),
    "overloaded": re.compile(
        r"rate.?limit|overloaded|too many requests|at capacity|loading model|insufficient_system_resource",
        re.IGNORECASE,
    ),
    "bad_key": re.compile(
        r"invalid_api_key|authentication|unauthori[sz]ed"
        r"|(invalid|incorrect|missing|wrong).{0,20}(api.?key|token\b|credential)",
        re.IGNORECASE,
    ),
}
"""What servers write into `code`, `type` and `message`; the first that fits wins."""

_SECRET = re.compile(
    r"\bbearer\s+[^\s\"',]+"
    r"|\b(api[-_ ]?key|access[-_ ]?token|token|secret|password|authorization)[\"']?\s*[:=]\s*[\"']?"
    r"((bearer|basic)\s+)?[^\s\"',}]+"
    r"|\b(sk|pk|rk|xai|nvapi)[-_][\w*.-]{6,}"
    r"|\b(gsk|hf|ghp)_\w{6,}"
    r"|\bAIza[\w-]{10,}"
    r"|\beyJ[\w-]+\.[\w.-]+"
    r"|(?<=://)[^/\s@]+@"
    r"|\b(?=[\w-]{0,39}\d)[\w-]{40,}",
    re.IGNORECASE,
)

_PRIVATE = re.compile(
    r"\b(https?|wss?)://((\d{1,3}\.){3}\d{1,3}|\[[\da-f:.]{2,45}\]|[\w-]{1,63}|[\w.-]{1,253}(?=:\d))(?![\w.-])(:\d{1,5})?"
    r"[^\s\"'<>()]*"
    r"|(?<![\d.])(\d{1,3}\.){3}\d{1,3}(:\d{1,5})?(?![\d.]*\d)"
    r"|\blocalhost:\d{1,5}\b",
    re.IGNORECASE,
)
"""An address that is nobody's business: of a host that is a number or has no domain, or with a port."""

_WORDING = {
    # code: (what happened, what to do)
    "bad_key": (
        "The model's server refused the API key",
        "Check the provider's api_key or api_key_env in the settings.",
    ),
    "unknown_model": (
        "The model's server has no such model",
        "Check the model's name and the provider's base_url.",
    ),
    "overloaded": (
        "The model's server is overloaded or limits requests",
        "Try again in a moment.",
    ),
    "context_too_long": (
        "The conversation is longer than the model can read",
        "Shorten it, start a new one, or choose a model that can read more.",
    ),
    "content_filtered": (
        "The model's server filtered the request",
        "Word it differently, or choose another model.",
    ),
    "upstream_error": (
        "The model's server failed",
        "Try again; if it stays, look at that server's own log.",
    ),
}
_REFUSED = "The model's server refused the request"
_REFUSED_REMEDY = "Check its parameters: that server may not know one of them."
_TOO_LARGE_REMEDY = "Send less: it is more than that server takes."
_TOO_LARGE = 413


def error_of(status: int, body: bytes, retry_after: str | None = None, *, host: str = "") -> ProviderError:
    """Return the error of a reply that is not 200. The address of the server itself, `host`, is not told.

    `retry_after` is that header's value; where it is in seconds, `details["retry_after_s"]` has it, rounded up. A
    date is not read: it would need a clock.
    """
    return _error(status, _payload(body), _seconds(retry_after), host)


def error_in(said: bytes | dict[str, Any]) -> ProviderError:
    """Return the error of an event, or of a reply with the status 200, that says that the server failed."""
    return _error(None, _payload(said) if isinstance(said, bytes) else said, None, "")


def presentable(message: str, *, host: str = "") -> str:
    """Return the message as it may be shown: one line of at most 500 characters, without keys and private addresses.

    So is every address at `host`.
    """
    line = " ".join(jsontext.mend(message[:_MAX_READ]).split())
    line = "".join(char for char in line if char.isprintable())
    line = _PRIVATE.sub("[removed]", _SECRET.sub("[removed]", line))
    if "." in host:  # any other is private by itself
        line = re.sub(
            rf"(https?://)?(?<![\w.-]){re.escape(host)}(?![\w-])[^\s\"'<>()]*", "[removed]", line, flags=re.IGNORECASE
        )
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"


def _error(status: int | None, payload: Any, retry_after_s: int | None, host: str) -> ProviderError:
    words, hints, named = _read(payload)
    message = presentable(words, host=host)
    code = _code(status or named, hints)
    what, remedy = _WORDING[code]
    details: dict[str, Any] = {}
    if code == "upstream_error" and status in OF_REQUEST:
        what, remedy = _REFUSED, _TOO_LARGE_REMEDY if status == _TOO_LARGE else _REFUSED_REMEDY
    elif code == "overloaded" and retry_after_s is not None:
        remedy = f"Try again in {retry_after_s} s."
    if retry_after_s is not None:
        details["retry_after_s"] = retry_after_s
    where = "" if status is None else f" (HTTP {status})"
    said = f": {message.rstrip('.')}" if message else ""
    refusal = _refusal(status or named, payload, retry_after_s) if code in _TOLD else None
    return ProviderError(f"{what}{where}{said}. {remedy}", code=code, refusal=refusal, **details)


def _refusal(status: int | None, payload: Any, retry_after_s: int | None) -> Refusal | None:
    if status not in OF_REQUEST | _BUSY:
        return None
    error = _object(payload)
    said = error if isinstance(error, dict) else {}
    return Refusal(
        status=status, param=_name(said.get("param")), code=_name(said.get("code")), retry_after_s=retry_after_s
    )


def _name(value: Any) -> str | None:
    """Return the name of a field, or a code; None for what is none (as a number that only says the status again)."""
    name = presentable(value) if isinstance(value, str) else ""
    return name if 0 < len(name) <= _MAX_NAME else None


def _payload(body: bytes) -> Any:
    try:
        return jsontext.decode(body)
    except ValueError:
        text = body[:_MAX_READ].decode(errors="replace").strip()
        return "" if text.startswith("<") else text  # a proxy's page says nothing that the status does not


def _read(payload: Any) -> tuple[str, str, int | None]:
    """Return the server's words, all that may hint at the code, and the status that it names."""
    error = _object(payload)
    if not isinstance(error, dict):
        words = _words(error)
        return words, words[:_MAX_READ], None
    words = _words(error.get("message") or error.get("detail"))
    named = [error.get(key) for key in ("code", "type", "status")]
    number = next((each for each in named if isinstance(each, int)), None)
    hints = " ".join([*(each for each in named if isinstance(each, str)), words[:_MAX_READ]])
    return words, hints, number


def _object(payload: Any) -> Any:
    return (payload.get("error") or payload.get("detail") or payload) if isinstance(payload, dict) else payload


def _words(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return jsontext.encode(value).decode()


def _code(status: int | None, hints: str) -> str:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return "bad_key"
    if status in _BUSY:
        return "overloaded"
    for code, words in _HINTS.items():
        if words.search(hints):
            return code
    return "unknown_model" if status == HTTPStatus.NOT_FOUND else "upstream_error"


def _seconds(retry_after: str | None) -> int | None:
    if retry_after is None or not re.fullmatch(r"\d{1,9}(\.\d*)?", retry_after.strip(), re.ASCII):
        return None
    return -int(-float(retry_after) // 1)
