"""This module makes texts that are hard to split into tokens: many scripts, digits, runs of space, signs, emoji."""

import random
import unicodedata

__all__ = ["hard_texts"]

_RANGES = (
    (0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x180), (0x370, 0x530), (0x590, 0x700), (0x900, 0xA80), (0xE00, 0xE80), (0x1E00, 0x2000),
    (0x2000, 0x2070), (0x20A0, 0x2200), (0x2460, 0x2600), (0x3040, 0x3100), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0xFF00, 0xFF60),
    (0x1F300, 0x1F650), (0x1D7CE, 0x1D800),
)  # fmt: skip
_SPACES = (" ", "  ", "   ", "\n", "\n\n", "\t", " \n ", "\r\n", "        ", "\u00a0", "\u3000", "\u2003")
_PIECES = ("don't", "I'M", "we'll", "'s", "'S", "...", "?!", "--", "1234567890", "3.14", "1,000", "٣٤", "½", "Ⅷ", "²", "ﬁ", "é", "e\u0301",
           "👩‍👩‍👧", "🇫🇷", "a1b2", "C++", "snake_case", "«»", "„“", "¿", "ß", "ñ", "\u200b", "\ufeff", "<|im", "[x]", "`code`")  # fmt: skip


def hard_texts(count: int, seed: int) -> list[str]:
    """Return so many texts, the same ones for the same seed; none of them is empty."""
    rng = random.Random(seed)
    return ["".join(_piece(rng) for _ in range(rng.randint(1, 25))) for _ in range(count)]


def _piece(rng: random.Random) -> str:
    dice = rng.random()
    if dice < 0.25:
        return rng.choice(_SPACES)
    if dice < 0.45:
        return rng.choice(_PIECES)
    if dice < 0.60:
        return str(rng.randint(0, 10 ** rng.randint(1, 9)))
    first, last = rng.choice(_RANGES)
    letters = (chr(rng.randrange(first, last)) for _ in range(rng.randint(1, 8)))
    # what is not assigned yet may be classified differently by different editions of Unicode
    return "".join(letter for letter in letters if unicodedata.category(letter) not in {"Cn", "Cs", "Co"}) or "x"
