"""This module makes our errors of Ollama's: `{"error": "..."}`, as the body of a reply or as a line in mid-stream.

Source: Ollama, `server/routes.go`. Ollama runs llama.cpp and passes its words on, so what `openai_errors` reads out of
them holds here too; what only Ollama says, and the remedies that only it has, are added.
"""

import re

from headrace.core.errors import ProviderError
from headrace.formats import openai_errors

__all__ = ["error_in", "error_of"]

_MISSING = re.compile(r"model ['\"]([\w.:/@-]{1,200})['\"] not found", re.ASCII)
_SIGN_IN = b'"signin_url"'


def error_of(status: int, body: bytes, retry_after: str | None = None, *, host: str = "") -> ProviderError:
    """Return the error of a reply that is not 200; `retry_after` is that header's value. See `openai_errors`."""
    return _with_remedy(openai_errors.error_of(status, body, retry_after, host=host), body)


def error_in(line: bytes) -> ProviderError:
    """Return the error of a line, or of a reply with the status 200, that says that the server failed."""
    return _with_remedy(openai_errors.error_in(line), line)


def _with_remedy(error: ProviderError, body: bytes) -> ProviderError:
    if error.code == "unknown_model" and (missing := _MISSING.search(error.message)):
        name = missing[1]
        return ProviderError(
            f"Ollama has no model {name!r}. Get it with `ollama pull {name}`, or choose another model.", code=error.code
        )
    if error.code == "bad_key" and _SIGN_IN in body:
        return ProviderError(
            "The model runs in Ollama's cloud, and Ollama is not signed in there. Sign in with `ollama signin` where "
            "Ollama runs, or choose a local model.",
            code=error.code,
        )
    return error
