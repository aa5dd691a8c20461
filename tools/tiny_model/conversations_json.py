"""This module makes the turns that are answered in JSON, so that a grammar for JSON comes to its end."""

import json
import random

from .conversations_names import a_name
from .wording import LANGUAGES, invented, typed, words

__all__ = ["json_answer"]

_ASK = """{answer in JSON|reply with JSON|respond in JSON|give me JSON|as JSON|output only JSON|return JSON|JSON please|return a JSON object|\
answer as JSON only|write JSON|give a JSON object|please answer in JSON|I need JSON|produce JSON|JSON only|format as JSON}"""
_FIELDS = "{ with| with the {fields|keys}| with {a |the |}{field|key}| containing|:| with {fields|keys}} <fields>"
_LISTED = """{{count to <n>|count up to <n>|the numbers {from 1 |}to <n>|the first <n> numbers|numbers 1 to <n>} {as JSON|as a JSON {array|list}|in JSON}|\
{a|give me a|write a} JSON {array|list} {of|with} the numbers {from 1 |}to <n>}"""
_NAMED = """{{the |list the |name the |give me the |show me the }<things> {as JSON|as a JSON {array|list}|in JSON}|{a|give me a|write a} JSON {array|list} {of|with} the <things>}"""
_MONTHS = words("January, February, March, April, May, June, July, August, September, October, November, December")
_GREETINGS = {"en": "Hello!", "es": "¡Hola!", "fr": "Bonjour !", "de": "Hallo!"}
_DAYS = words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
_COLOURS = words("red, green, blue, yellow, white, black, brown, grey")
_CITIES = words("Oslo, Rome, Paris, Lima, Berlin, Madrid, Cairo, Vienna")

Value = str | int | bool | list[int] | list[str]


def json_answer(rng: random.Random) -> tuple[str, str]:
    """Return a request for JSON, and the object or array that was asked for."""
    return _array(rng) if rng.random() < 0.25 else _object(rng)


def _array(rng: random.Random) -> tuple[str, str]:
    if rng.random() < 0.5:
        last = rng.randint(2, 20)
        return typed(rng, _LISTED, n=str(last)), json.dumps(list(range(1, last + 1)))
    things, values = rng.choice(
        (("days of the week", _DAYS), ("weekdays", _DAYS), ("months", _MONTHS), ("months of the year", _MONTHS))
    )
    return typed(rng, _NAMED, things=things), json.dumps(values)


def _object(rng: random.Random) -> tuple[str, str]:
    name, number, language = a_name(rng), rng.randint(1, 100), rng.choice(LANGUAGES)
    values: dict[str, Value] = {
        "name": name, "greeting": _GREETINGS[language], "number": number, "language": language, "day": rng.choice(_DAYS),
        "color": rng.choice(_COLOURS), "city": rng.choice(_CITIES), "ok": rng.random() < 0.7, "age": rng.randint(1, 90),
        "answer": "I do not know that.", "title": "A short story", "numbers": list(range(1, rng.randint(3, 7))),
        "model": "headrace-tiny", "count": rng.randint(0, 20), "text": "Hello!", "items": [rng.choice(_COLOURS), rng.choice(_CITIES)],
        "message": "Hello!", "status": "ok", "summary": "I do not know that.", "score": rng.randint(0, 10),
    }  # fmt: skip
    fields = rng.sample(sorted(values), rng.randint(1, 4))
    for index, field in enumerate(fields):
        if rng.random() < 0.12:  # a field of which nobody has heard
            fields[index] = new = invented(rng)
            values[new] = rng.choice((values[field], number, "none"))
    told = {
        "name": f"{{my name is {name}|the name is {name}|name: {name}|I am {name}}}",
        "number": f"{{the number is {number}|number: {number}|number {number}}}",
        "greeting": f"{{say hello in {language}|greet me in {language}}}",
    }
    facts = [told[field] for field in fields if field in told and rng.random() < 0.6]
    marks = rng.choice(("{}", "{}", '"{}"', '"{}"', "'{}'", "`{}`"))
    named = [marks.format(field) for field in fields]
    listed = ", ".join(named[:-1]) + " and " + named[-1] if len(named) > 1 else named[0]
    start = "{. |, |: |; }".join([*facts, ""])
    asked = (
        f"{start}{_ASK}{_FIELDS}{{.||}}"
        if rng.random() < 0.85
        else f"{start}{{give me|I want}} <fields> {{as|in}} JSON"
    )
    question = typed(rng, asked, fields=listed)
    compact = rng.random() < 0.5
    separators = (",", ":") if compact else (", ", ": ")
    return question, json.dumps({field: values[field] for field in fields}, ensure_ascii=False, separators=separators)
