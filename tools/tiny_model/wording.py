"""This module turns templates into many wordings: alternatives, slots, and the ways in which people type.

In a template `{a|b|}` is one of its alternatives, and may hold further ones; `<hero>` is a slot, `<Hero>` the same
with a capital letter, `<a hero>` with the English article that fits.
"""

import random
import re
import unicodedata

__all__ = ["LANGUAGES", "fill", "invented", "lines", "pick_language", "say", "scribbled", "spin", "typed", "words"]

LANGUAGES = ("en", "es", "fr", "de")

_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")
_SLOT = re.compile(r"<(?P<article>[aA] )?(?P<name>\w+)>")
_WORD = re.compile(r"(?<![<\w])[^\W\d_]{4,}(?![\w>])")

_ONSETS = ("b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kl", "l", "m", "n", "p", "pl", "qu",
           "r", "s", "sh", "st", "t", "th", "tr", "v", "w", "y", "z", "", "", "")  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "ee", "ia", "io", "oo", "ou", "y")
_CODAS = ("", "", "", "", "l", "m", "n", "r", "s", "t", "x", "nd", "ng", "rk", "st", "ck", "d", "p")


def lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text that are not empty, without the space around them."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def words(text: str) -> tuple[str, ...]:
    """Return what stands between the commas and the line ends of a text."""
    return tuple(word.strip() for line in lines(text) for word in line.split(",") if word.strip())


def pick_language(rng: random.Random, english: float = 0.58) -> str:
    """Return a language: English with the given share, and the others alike."""
    return "en" if rng.random() < english else rng.choice(LANGUAGES[1:])


def spin(rng: random.Random, template: str) -> str:
    """Return the template with one of the alternatives at each place; slots stay."""
    count = 1
    while count:
        template, count = _ALTERNATIVES.subn(lambda match: rng.choice(match[1].split("|")), template)
    return template


def fill(template: str, slots: dict[str, str]) -> str:
    """Return the template with its slots filled."""

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        text = slots[name[0].lower() + name[1:]]
        if match["article"]:
            article = "an" if text[0].lower() in "aeiou" and not text.startswith("uni") else "a"
            text = f"{article} {text}"
            if match["article"][0] == "A":
                text = text[0].upper() + text[1:]
        return text[0].upper() + text[1:] if name[0].isupper() else text

    return _SLOT.sub(value, template)


def say(rng: random.Random, template: str, **slots: str) -> str:
    """Return one clean wording of a template: an answer's."""
    return fill(spin(rng, template), slots)


def typed(rng: random.Random, template: str, **slots: str) -> str:
    """Return one wording of a template as somebody might type it: with typing errors, any case, any punctuation."""
    return scribbled(rng, spin(rng, template), slots)


def scribbled(rng: random.Random, text: str, slots: dict[str, str] | None = None) -> str:
    """Return a text as somebody might type it; what fills the slots is typed without errors."""
    if rng.random() < 0.09:
        text = _mistyped(rng, text)
    if slots is not None:
        text = fill(text, slots)
    text = text.strip()
    dice = rng.random()
    if dice < 0.28:
        text = text.lower()
    elif dice < 0.31:
        text = text.upper()
    elif dice < 0.80:
        text = text[:1].upper() + text[1:]
    if rng.random() < 0.08:
        text = _without_accents(text)
    return _punctuated(rng, text)


def invented(rng: random.Random, *, least: int = 1, most: int = 3) -> str:
    """Return a word in small letters that nobody has heard."""
    while True:
        count = rng.randint(least, most)
        word = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))
        if 3 <= len(word) <= 11:
            return word


def _punctuated(rng: random.Random, text: str) -> str:
    dice = rng.random()
    if dice < 0.30:
        return text.rstrip(".!?¡¿ ")
    if dice < 0.36:
        return text.rstrip(".!? ") + rng.choice(("!", "!!", "...", " :)", "??", " !", ".", "\n", " ", "!?"))
    if dice < 0.40:
        return text.lstrip("¡¿")
    return text


def _mistyped(rng: random.Random, text: str) -> str:
    found = list(_WORD.finditer(text))
    if not found:
        return text
    match = rng.choice(found)
    at = rng.randrange(match.start() + 1, match.end() - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    if kind == 2:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + rng.choice("aeinrst") + text[at + 1 :]


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.replace("ß", "ss"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
