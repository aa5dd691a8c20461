"""This script writes the pages of docs/ that say what the code says: settings, events, errors, routes.

With `--check` it writes nothing, and exits 1 where a page is not what it would write.
"""

import argparse
import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec
from fastapi.routing import APIRoute

from headrace.app import settings, values
from headrace.core import errors, events, refusal
from headrace.doors.routes import ROUTES
from headrace.providers import presets, registry

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTICE = "<!-- Written by tools/generate_docs.py (`make docs`): change the code, not this page. -->"

_JSON_TYPES: Mapping[type[msgspec.inspect.Type], str] = {
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.DictType: "object",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.NoneType: "null",
    msgspec.inspect.StrType: "string",
}


def settings_page() -> str:
    """Return the page of all settings."""
    sections = [_section(name, struct) for name, struct in settings.SECTIONS.items()]
    kinds = [_kind(name, kind.settings) for name, kind in sorted(registry.KINDS.items())]
    services = {name: service for name, service in presets.SERVICES.items() if service.kind in registry.KINDS}
    return _page(
        "Settings",
        """
        One TOML file (`headrace serve --config FILE`, or `HEADRACE_CONFIG=FILE`) holds the settings. Over it stand a
        file `.env` beside it, over that the environment, over that the flags `--host`, `--port`, `--data-dir` and
        `--model`. Without a file the `.env` of the working directory is read, and the defaults hold.

        ```toml
        [server]
        port = 8001

        [models]
        default = "box/a"
        aliases = { "gemma3:12b" = "box/a" }

        [providers.box]
        kind = "openai"
        base_url = "http://127.0.0.1:9100/v1"
        api_key_env = "BOX_KEY"
        ```

        - In the environment a key is `HEADRACE_SECTION_KEY`, as `HEADRACE_RUNS_MAX`; those of `[server]` also go
          without the section, as `HEADRACE_PORT`; those of a provider are `HEADRACE_PROVIDERS_NAME_KEY`. A list is
          written with commas, a table as JSON. An empty variable is one that is not set.
        - `HEADRACE_MODEL=FILE`, or `--model FILE`, adds a provider named `embedded` with that GGUF file, and makes it
          the default.
        - An unknown key, and an unknown variable that begins with `HEADRACE_`, is an error that names the nearest
          known one. (Kubernetes makes such variables for a service named `headrace`: set `enableServiceLinks: false`.)
        - Relative paths are relative to the working directory.
        """,
        *sections,
        "## `[doors.NAME]`\n\nAny of " + _listed(settings.DOORS) + ". " + (inspect.getdoc(settings.Door) or ""),
        _settings_table(settings.Door),
        """
## Variables of the replaced systems

Read from the environment or the same `.env`, without a prefix.

| variable | meaning |
|---|---|
| `ENABLE_STREAMING` | With `false` the door of the documents' chat does not stream: it answers 409, and names the one that answers in one piece. |
| `LLM_COMM_MODE=sse` | The server of llama.cpp at `LLM_SERVER_URL` becomes the provider `lam`, which the studio's door asks unless the chat or the request names a model. |
""".strip(),
        "## What is found\n\n"
        "Model servers on this machine become providers by themselves when they answer, and are shown as down when they "
        f"go: {_listed(presets.SERVERS)}. GGUF files in the folder `models` of the data folder, and in folders "
        "`OWNER/REPO` in it, are models of the provider `local`; a file counts once it no longer grows. A key in the "
        "usual variable of a service is shown as a provider that is `off`. What the settings name, by its name or its "
        "address, is theirs and is not found again; their providers come first. With `discovery = false` only the folder "
        "is looked into. `headrace models` shows all of them.",
        "## `[providers.NAME]`\n\nAny number of them, under any names. `kind` says which of the following keys there are.",
        *kinds,
        "Every one of them may also have `enabled`: with `false` it is shown as `off`, and nothing is asked of it. With "
        "`true` a name that Headrace knows needs no other key: on this machine "
        f"{_listed(presets.SERVERS)}; on the internet, with the key in their usual variables, "
        f"{', '.join(f'`{name}` (`{service.variable}`)' for name, service in services.items())}.",
        "Where there is `api_key`, there is also `api_key_env`: the name of a variable that holds the key. A key that "
        "is given itself comes first. When the variable is not set, the provider is shown as down.",
        f"## Not available yet\n\nThese are refused by name: `LLM_COMM_MODE=mqtt`, "
        f"and the kinds of providers {', '.join(f'`{kind}`' for kind in settings.UNAVAILABLE['kinds'])}.",
    )


def events_page() -> str:
    """Return the page of all events."""
    return _page(
        "Events",
        """
        What happens in a run, as it is stored, sent and read again. On the wire an event is one frame of server-sent
        events: `id:` is its sequence number in the run (0, 1, 2, ...), `event:` its type, `data:` one JSON object with
        `type`, `t` (milliseconds since `run.started`) and the fields below. A field that has its default is left out.

        Exactly one of the events marked as the end ends a run, and nothing follows it. Where a reader is behind, its
        `text` events may come merged: then `id` is the number of the last of them, and `from` that of the first.
        """,
        *(_event(kind) for kind in get_args(events.Event)),
        "## Parts of events",
        *(_struct(kind, level=3, title=kind.__name__) for kind in (events.Route, events.Timings, refusal.Refusal)),
    )


def errors_page() -> str:
    """Return the page of all errors."""
    rows = [
        f"| {'&nbsp;' * 4 * depth}`{kind.__name__}` | {_error_cells(kind)} | {_summary(kind)} |"
        for depth, kind in _tree(errors.HeadraceError)
    ]
    codes = [
        f"| `{code}` | {status} | {'yes' if retryable else 'no'} |"
        for code, (status, retryable) in errors.ProviderError.CODES.items()
    ]
    return _page(
        "Errors",
        """
        An error is answered as `{"error": {"code", "message", "details"?}}` with the status that says it best. `code`
        is for programs and never changes; `message` is for people and names the remedy. An error may have a narrower
        code than its kind's own. After the first byte of a stream a failure is the event `run.failed` instead.
        """,
        "## Kinds\n\n| kind | status | code | may succeed later | meaning |\n|---|---|---|---|---|\n" + "\n".join(rows),
        "## Codes of `run.failed`\n\nThe status is the one of an answer without a stream.\n\n"
        "| code | status | may succeed later |\n|---|---|---|\n" + "\n".join(codes),
        "At the doors of OpenAI's and Ollama's APIs, what the model's server refused for the request's own sake (its "
        f"status is {', '.join(map(str, sorted(refusal.OF_REQUEST)))}) is 400, and its {refusal.LIMITED} is {refusal.LIMITED}.",
    )


def routes_page() -> str:
    """Return the page of all routes."""
    rows = [
        f"| `{method} {prefix}{route.path}` | {_escaped(_first_line(route.endpoint))} |"
        for prefix, router, _ in ROUTES
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in sorted(route.methods or ())
    ]
    return _page(
        "Routes",
        "Bodies and replies are described by the server itself, at `/docs`.",
        "| route | what it does |\n|---|---|\n" + "\n".join(rows),
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "events.md": events_page,
    "errors.md": errors_page,
    "routes.md": routes_page,
}


def main() -> int:
    """Write every page, or with `--check` name those that are not up to date and return 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what is not up to date")
    check = parser.parse_args().check
    stale = 0
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"docs/{name} is not up to date: run `make docs`")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} written")
    return 1 if check and stale else 0


def _page(title: str, intro: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTICE, textwrap.dedent(intro).strip(), *parts]) + "\n"


def _section(name: str, struct: type[msgspec.Struct]) -> str:
    return f"## `[{name}]`\n\n{inspect.getdoc(struct)}\n\n{_settings_table(struct)}"


def _kind(name: str, struct: type[msgspec.Struct]) -> str:
    module = inspect.getdoc(sys.modules[struct.__module__]) or ""
    does = module.split("\n", maxsplit=1)[0].removeprefix("This module ")
    return f'### `kind = "{name}"`\n\n{does[:1].upper()}{does[1:]}\n\n{_settings_table(struct)}'


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _settings_table(struct: type[msgspec.Struct]) -> str:
    said = _attribute_docs(struct)
    rows = [
        f"| `{field.name}` | {_escaped(values.expected(field.type))} | {_setting_default(field)} "
        f"| {_escaped(said.get(field.name, ''))} |"
        for field in msgspec.structs.fields(struct)
    ]
    return "| key | value | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows)


def _setting_default(field: msgspec.structs.FieldInfo) -> str:
    if field.name == "data_dir":
        return "`$XDG_DATA_HOME/headrace`, or `~/.local/share/headrace`; `make run`: `data`"
    if field.required:
        return "must be given"
    return _default(field, none="not set")


def _event(kind: type[msgspec.Struct]) -> str:
    tag = kind.__struct_config__.tag
    return _struct(kind, level=2, title=f"`{tag}`" + (" (the end)" if kind in events.TERMINAL else ""))


def _struct(kind: type[msgspec.Struct], *, level: int, title: str) -> str:
    rows = [
        f"| `{field.encode_name}` | {_json_type(msgspec.inspect.type_info(field.type), null=field.required)} "
        f"| {'always' if field.required else _default(field, none='left out')} |"
        for field in msgspec.structs.fields(kind)
    ]
    table = "| field | value | default |\n|---|---|---|\n" + "\n".join(rows)
    return f"{'#' * level} {title}\n\n{inspect.getdoc(kind)}\n\n{table}"


def _default(field: msgspec.structs.FieldInfo, *, none: str) -> str:
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if default is None:
        return none
    return "empty" if default in ({}, ()) else f"`{msgspec.json.encode(default).decode()}`"


def _json_type(kind: msgspec.inspect.Type, *, null: bool = True) -> str:
    """Return what a field is in JSON; without `null` that is not listed: such a field is left out instead."""
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            words = _json_type(inner)
        case msgspec.inspect.UnionType(types=types):
            words = " or ".join(_json_type(one) for one in types if null or one != msgspec.inspect.NoneType())
        case msgspec.inspect.LiteralType(values=values):
            words = " or ".join(f"`{value}`" for value in sorted(values, key=str))
        case msgspec.inspect.ListType(item_type=item):
            words = f"list of {_json_type(item)}"
        case msgspec.inspect.StructType(cls=struct):
            words = f"[{struct.__name__}](#{struct.__name__.lower()})"
        case _:
            words = _JSON_TYPES[type(kind)]
    return words


def _attribute_docs(struct: type) -> dict[str, str]:
    """Return the string that stands below each attribute of a class."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    said = {}
    for above, below in pairwise(body):
        if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name) and isinstance(below, ast.Expr):
            said[above.target.id] = inspect.cleandoc(str(ast.literal_eval(below.value)))
    return said


def _tree(kind: type[errors.HeadraceError], depth: int = 0) -> Iterator[tuple[int, type[errors.HeadraceError]]]:
    """Yield the errors of core/errors.py with their depth, each before those below it."""
    yield depth, kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _tree(below, depth + 1)


def _error_cells(kind: type[errors.HeadraceError]) -> str:
    if kind is errors.ProviderError:
        return "by its code | see below | by its code"
    return f"{kind.status} | `{kind.default_code}` | {'yes' if kind.retryable else 'no'}"


def _summary(kind: type | Callable[..., Any]) -> str:
    return _escaped(" ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()))


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").split("\n")[0]


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
