r"""This module makes messages from templates: which variables a text has, and what it says with their values.

A variable is written `{{name}}`, with blanks around the name where they please. A name is a letter or `_`, then letters,
digits and `_`, of any script, `MAX_NAME` at most. Two braces that begin no variable are written `\{{`. Nothing else has a
meaning: there are no expressions, and a value is put in as it is, whatever stands in it. The variable `content` is the
text of the message that the template is used with.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from headrace.core.clock import Clock
from headrace.core.errors import BadField
from headrace.core.messages import Part, TextPart, text_of
from headrace.core.principal import Principal
from headrace.store.records import Template, TemplateChanges, Variable
from headrace.store.store import Store

__all__ = [
    "CONTENT",
    "MAX_NAME",
    "MAX_TEXT",
    "MAX_VARIABLES",
    "Templates",
    "Use",
    "described",
    "message_of",
    "render",
    "variables_in",
]

CONTENT = "content"
"""The variable that is the text of the message."""

MAX_NAME = 64
"""Characters of a variable's name."""

MAX_VARIABLES = 64
"""Variables of a template."""

MAX_TEXT = 1_000_000
"""Characters of a message."""

_PIECE = re.compile(r"\\\{\{|\{\{[ \t]*+([^\W\d]\w{0,63}+)[ \t]*+\}\}")
_OPEN = "{{"
_SHOWN = 24


class Use(msgspec.Struct, frozen=True):
    """Which template makes a message, and with which values."""

    template_id: int
    variables: dict[str, str] = {}


def variables_in(text: str) -> tuple[str, ...]:
    """Return the names of the variables of a template's text, in the order in which they first appear."""
    return tuple(dict.fromkeys(piece[1] for piece in _PIECE.finditer(text) if piece[1] is not None))


def described(template: Template) -> tuple[Variable, ...]:
    """Return all variables of a template in their order, with what is said of them."""
    said = {variable.name: variable for variable in template.variables}
    return tuple(said.get(name, Variable(name)) for name in variables_in(template.content))


def render(text: str, values: Mapping[str, str]) -> str:
    """Return a template's text with the values in it; a variable without one stays as it is written. Never raises."""

    def put(piece: re.Match[str]) -> str:
        return _OPEN if piece[1] is None else values.get(piece[1], piece[0])

    return _PIECE.sub(put, text)


def message_of(template: Template, variables: Mapping[str, str], parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the message that a template makes of these values and the message that it is used with.

    The text of `parts` is the variable `content`; where the template has none, it follows after a blank line. What
    is no text comes last. Raises `BadField` for a value that is missing, one of no variable, and a message that is
    empty or has more than `MAX_TEXT` characters.
    """
    text = text_of(tuple(parts))
    values = _values(template, variables, text)
    appended = f"\n\n{text}" if text and CONTENT not in variables_in(template.content) else ""
    _check_length(template, values, len(appended))
    made = render(template.content, values) + appended
    if not made.strip():
        raise BadField(
            f"The template {template.name!r} makes an empty message of these values. Give at least one that is not.",
            field="variables",
        )
    return (TextPart(made), *(part for part in parts if not isinstance(part, TextPart)))


class Templates:
    """Stores templates that make sense, and makes messages from them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(
        self,
        principal: Principal,
        *,
        name: str,
        content: str,
        description: str | None = None,
        variables: Sequence[Variable] = (),
    ) -> Template:
        """Store a template and return it. Raises `BadField` for a text or variables that make no sense."""
        _check_content(content)
        _check_variables(content, variables)
        return await self._store.templates.create(
            principal,
            name=name,
            content=content,
            description=description,
            variables=variables,
            now_ms=self._clock.now_ms(),
        )

    async def update(self, principal: Principal, template_id: int, changes: TemplateChanges) -> Template:
        """Change what is given and return the template.

        What is said of a variable that a new text has no more is kept, in case it comes back. Raises `NotFound`, and
        `BadField` as `create` does.
        """
        template = await self._store.templates.get(principal, template_id)
        content = template.content
        if changes.content is not msgspec.UNSET:
            content = changes.content
            _check_content(content)
        if changes.variables is not msgspec.UNSET:
            _check_variables(content, changes.variables)
        return await self._store.templates.update(principal, template_id, changes, now_ms=self._clock.now_ms())


def _values(template: Template, given: Mapping[str, str], text: str) -> dict[str, str]:
    """Return the value of every variable. Raises `BadField`."""
    names = variables_in(template.content)
    for name in given:
        if name == CONTENT:
            message = "The variable 'content' is the text of the message: give it as the field `content`."
            raise BadField(message, field=f"variables.{name}")
        if name not in names:
            known = _listed([each for each in names if each != CONTENT])
            message = f"The template {template.name!r} has no variable {name!r}. Leave it out; it has {known}."
            raise BadField(message, field=f"variables.{name}")
    values = {one.name: one.default for one in described(template) if one.default is not None} | dict(given)
    if text:
        values[CONTENT] = text
    missing = [name for name in names if name not in values]
    if missing:
        fields = [CONTENT if name == CONTENT else f"variables.{name}" for name in missing]
        message = f"The template {template.name!r} needs {_listed(missing)}: give {_listed(fields)}."
        raise BadField(message, field=fields[0], missing=missing)
    return values


def _check_length(template: Template, values: Mapping[str, str], more: int) -> None:
    """Raise `BadField` for a message that would be too long, before it is made."""
    counts = Counter(piece[1] for piece in _PIECE.finditer(template.content) if piece[1] is not None)
    sizes = {name: count * len(values[name]) for name, count in counts.items()}
    fixed = len(render(template.content, dict.fromkeys(counts, "")))
    total = fixed + more + sum(sizes.values())
    if total <= MAX_TEXT:
        return
    longest = max(sizes, key=lambda name: sizes[name], default=CONTENT)
    if more > sizes.get(longest, 0):
        longest = CONTENT
    raise BadField(
        f"The template {template.name!r} makes a message of {total:,} characters, more than {MAX_TEXT:,}. "
        f"Shorten the value of {longest!r}.",
        field=CONTENT if longest == CONTENT else f"variables.{longest}",
    )


def _check_content(text: str) -> None:
    if not text.strip():
        raise BadField("The template has no text. Write what it is to say.", field="content")
    at = _stray(text)
    if at is not None:
        shown = text[at : at + _SHOWN].splitlines()[0]
        raise BadField(
            f"What begins at character {at + 1}, `{shown}`, is no variable. Write {{{{name}}}} with a name of letters, "
            f"digits and _ that begins with no digit and has at most {MAX_NAME} characters; for braces as they are, "
            "write \\{{.",
            field="content",
        )
    count = len(variables_in(text))
    if count > MAX_VARIABLES:
        message = f"The template has {count} variables. {MAX_VARIABLES} are the most: take some out."
        raise BadField(message, field="content")


def _stray(text: str) -> int | None:
    """Return where two braces first begin nothing."""
    at = 0
    ends = [*((piece.start(), piece.end()) for piece in _PIECE.finditer(text)), (len(text), len(text))]
    for start, end in ends:
        found = text.find(_OPEN, at, start)
        if found >= 0:
            return found
        at = end
    return None


def _check_variables(content: str, variables: Sequence[Variable]) -> None:
    names = variables_in(content)
    seen: set[str] = set()
    for number, variable in enumerate(variables):
        field = f"variables.{number}.name"
        if variable.name not in names:
            message = f"The template's text has no {{{{{variable.name}}}}}. Put it there, or leave the variable out."
            raise BadField(message, field=field)
        if variable.name in seen:
            raise BadField(f"The variable {variable.name!r} is there twice. Leave one out.", field=field)
        seen.add(variable.name)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
