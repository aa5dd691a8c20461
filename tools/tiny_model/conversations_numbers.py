"""This module makes the turns that count."""

import random

from .wording import typed

__all__ = ["COUNTED", "counting"]

# How far a request goes that names a number: "count to" and so on. <n>, <a> and <b> are the numbers.
_UP_TO = {
    "en": """{{count|please count|can you count|could you count|count for me|I want you to count|let's count|try counting|\
now count|count up|start counting|would you count|just count|go on, count} {to|up to|from one to|from 1 to|from zero up to|\
until|till} <n>|{the |all the |list the |give me the |write the |say the |show me the |print the |tell me the |first |}\
numbers {from 1 |from one |1 |up |}to <n>|list the first <n> numbers|count <n>|numbers until <n>|1 to <n>|one to <n>|\
say the first <n> numbers|count me to <n>}{|||| please|, please| for me| slowly|, thanks|.| in Spanish| in English}""",
    "es": """{{cuenta|por favor cuenta|¿puedes contar|¿podrías contar|quiero que cuentes|contar|cuéntame|ahora cuenta|\
cuenta otra vez} {hasta|hasta el|del 1 al|de 1 a|desde 1 hasta|de uno a} <n>|{los |dime los |lista los |escribe los |dame los |}\
números {del 1 al|de 1 a|hasta el|hasta} <n>|del 1 al <n>}{|, por favor| por favor|.}""",
    "fr": """{{compte|peux-tu compter|tu peux compter|pouvez-vous compter|comptez|compter|compte pour moi|s'il te plaît compte|\
maintenant compte} {jusqu'à|de 1 à|de un à|jusque} <n>|{les |donne-moi les |écris les |liste les |dis les |}nombres \
{de 1 à|jusqu'à} <n>|de 1 à <n>}{| s'il te plaît|, s'il te plaît| stp|.}""",
    "de": """{{zähl|zähle|bitte zähle|zähl bitte|jetzt zähle|zähl mal} {bis|bis zu|von 1 bis|von eins bis} <n>|\
{kannst du|könntest du|kannst du bitte} {bis|von 1 bis} <n> zählen|{die |nenne die |schreib die |sag die |gib mir die |}\
Zahlen {von 1 |von eins |1 |}bis <n>|von 1 bis <n>}{| bitte|, bitte|.}""",
}

_BETWEEN = {
    "en": """{{count|please count|can you count|could you count|count up|now count|start counting|keep counting} \
{from |}<a> {to|up to|until|through} <b>|{the |all the |list the |write the |give me the |say the |show me |print |}\
numbers {from |between |}<a> {to|and|up to} <b>|count between <a> and <b>|from <a> to <b>|start at <a> and count to <b>|\
<a> to <b>|begin at <a> and stop at <b>, counting}{| please|, please| for me|.}""",
    "es": """{{cuenta|por favor cuenta|¿puedes contar|contar|ahora cuenta} {de <a> a|del <a> al|desde <a> hasta|desde el <a> hasta el} \
<b>|{los |dime los |lista los |}números {del <a> al|de <a> a|entre <a> y} <b>|del <a> al <b>}{|, por favor| por favor|.}""",
    "fr": """{{compte|peux-tu compter|tu peux compter|comptez|compter} {de <a> à|de <a> jusqu'à|à partir de <a> jusqu'à} <b>|\
{les |donne-moi les |}nombres {de <a> à|entre <a> et} <b>|de <a> à <b>}{| s'il te plaît|, s'il te plaît| stp|.}""",
    "de": """{{zähl|zähle|bitte zähle|zähl bitte} von <a> bis <b>|kannst du von <a> bis <b> zählen|\
{die |nenne die |}Zahlen {von <a> bis|zwischen <a> und} <b>|von <a> bis <b>}{| bitte|, bitte|.}""",
}

_DOWN = {
    "en": """{{count|please count|can you count|could you count|now count} {backwards|down|backward|back|in reverse} \
{from |starting at |starting from }<n>{| to 1| to one}|{a |do a |give me a |start a |}countdown from <n>|\
count {down |backwards |}from <n> {down |back |}to {1|one}|count from <n> backwards|reverse count from <n>|\
numbers from <n> down to 1|count from <n> to 1}{| please|, please|.}""",
    "es": """{{cuenta|por favor cuenta|¿puedes contar} {hacia atrás|al revés|atrás} desde {el |}<n>|\
cuenta regresiva desde <n>|cuenta atrás desde <n>|cuenta de <n> a 1|cuenta desde <n> hasta 1}{|, por favor| por favor|.}""",
    "fr": """{{compte|peux-tu compter|comptez} {à rebours|à l'envers|en arrière} {à partir de|depuis|de} <n>|\
compte à rebours {depuis|de|à partir de} <n>|compte de <n> à 1}{| s'il te plaît|, s'il te plaît| stp|.}""",
    "de": """{{zähl|zähle|bitte zähle} {rückwärts|runter|herunter} {von|ab} <n>|zähle von <n> rückwärts|\
kannst du {rückwärts von|von} <n> {rückwärts |herunter}zählen|zähle von <n> bis 1|Countdown von <n>}{| bitte|, bitte|.}""",
}

_DOWN_TO = {
    "en": """{{count|please count|can you count|could you count} {backwards|down|backward|back|in reverse} from <a> {down |back |}{to|until} <b>|\
{a |do a |give me a |}countdown from <a> to <b>|count from <a> {down|backwards|back} to <b>|from <a> down to <b>|\
numbers from <a> down to <b>|start at <a> and count {down|backwards} to <b>}{| please|, please|.}""",
    "es": """{{cuenta|por favor cuenta|¿puedes contar} {hacia atrás|al revés|atrás} {desde <a> hasta|del <a> al|de <a> a} <b>|\
cuenta {regresiva|atrás} {desde <a> hasta|del <a> al|de <a> a} <b>}{|, por favor| por favor|.}""",
    "fr": """{{compte|peux-tu compter|comptez} {à rebours|à l'envers|en arrière} de <a> {à|jusqu'à} <b>|\
compte à rebours de <a> à <b>}{| s'il te plaît|, s'il te plaît| stp|.}""",
    "de": """{{zähl|zähle|bitte zähle} {rückwärts|runter|herunter} von <a> bis <b>|zähle von <a> {rückwärts|runter|herunter} bis <b>|\
kannst du {rückwärts |}von <a> bis <b> {rückwärts |herunter}zählen|Countdown von <a> bis <b>}{| bitte|, bitte|.}""",
}

_BY_TWOS = {
    "en": """{count {by twos|by two|by 2|by 2s|in twos|in steps of two|in steps of 2} {to|up to|until} <n>|{list |give me |say |}\
{the |all |}even numbers {up |from 2 |}to <n>|count to <n> {by twos|in twos|by 2|in steps of two|by 2s}|every second number to <n>|\
count the even numbers to <n>}{| please|, please|.}""",
    "es": """{cuenta {de dos en dos|de 2 en 2} hasta <n>|los números pares hasta <n>|cuenta hasta <n> de dos en dos}\
{|, por favor| por favor|.}""",
    "fr": """{compte {de deux en deux|de 2 en 2} jusqu'à <n>|les nombres pairs jusqu'à <n>|compte jusqu'à <n> de deux en deux}\
{| s'il te plaît|, s'il te plaît|.}""",
    "de": """{zähle in {Zweierschritten|2er-Schritten} bis <n>|die geraden Zahlen bis <n>|zähle bis <n> in Zweierschritten}\
{| bitte|, bitte|.}""",
}

_TWOS_BETWEEN = {
    "en": """{count {by twos|by two|by 2|by 2s|in twos|in 2s|in steps of two|in steps of 2} from <a> {to|up to|until} <b>|{list |give me |say |}\
{the |all |}even numbers {from <a> to|between <a> and} <b>|count from <a> to <b> {by twos|in twos|by 2|in steps of two|by 2s|in 2s}|\
every second number from <a> to <b>}{| please|, please|.}""",
    "es": """{cuenta {de dos en dos|de 2 en 2} {del <a> al|de <a> a|desde <a> hasta} <b>|los números pares {del <a> al|de <a> a} <b>|\
cuenta {del <a> al|de <a> a} <b> de {dos en dos|2 en 2}}{|, por favor| por favor|.}""",
    "fr": """{compte {de deux en deux|de 2 en 2}{,|} de <a> {à|jusqu'à} <b>|les nombres pairs de <a> à <b>|compte de <a> à <b> de {deux en deux|2 en 2}}\
{| s'il te plaît|, s'il te plaît| stp|.}""",
    "de": """{zähle in {Zweierschritten|2er-Schritten} von <a> bis <b>|die geraden Zahlen von <a> bis <b>|zähle von <a> bis <b> in Zweierschritten}\
{| bitte|, bitte|.}""",
}

_TOO_FAR = {
    "en": "I can only count up to 120.",
    "es": "Solo sé contar hasta 120.",
    "fr": "Je ne sais compter que jusqu'à 120.",
    "de": "Ich kann nur bis 120 zählen.",
}

_SMALL = {
    "en": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty",
    "es": "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince",
    "fr": "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze",
    "de": "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn",
}
_TENS = {30: "thirty", 40: "forty", 50: "fifty", 100: "a hundred"}

COUNTED = 120
"""The highest number that is counted to."""


def counting(rng: random.Random, language: str) -> tuple[str, str]:
    """Return a request to count, and the numbers."""
    kind = rng.choices(("to", "between", "down", "twos"), (42, 28, 18, 12))[0]
    if kind == "to" and rng.random() < 0.06:
        above = rng.choice((rng.randint(COUNTED + 1, 1000), 150, 200, 500, 1000, 1_000_000))
        return typed(rng, _UP_TO[language], n=str(above)), _TOO_FAR[language]
    question, numbers = (_between if kind == "between" or (rng.random() < 0.5 and kind != "to") else _up_to)(
        rng, language, kind
    )
    return question, ", ".join(map(str, numbers)) + "."


def _between(rng: random.Random, language: str, kind: str) -> tuple[str, range]:
    """Return a request that names both ends."""
    first, last = _range(rng)
    if kind == "between":
        step = 1 if first <= last else -1
        return typed(rng, _BETWEEN[language], a=str(first), b=str(last)), range(first, last + step, step)
    low, high = sorted((first, last))
    if kind == "down":
        return typed(rng, _DOWN_TO[language], a=str(high), b=str(low)), range(high, low - 1, -1)
    low -= low % 2
    high = max(high - high % 2, low + 2)
    return typed(rng, _TWOS_BETWEEN[language], a=str(low), b=str(high)), range(low, high + 1, 2)


def _up_to(rng: random.Random, language: str, kind: str) -> tuple[str, range]:
    """Return a request that names one end."""
    last = _limit(rng)
    if kind == "twos":
        last = max(6, last - last % 2)
        return typed(rng, _BY_TWOS[language], n=_spelled(rng, language, last)), range(2, last + 1, 2)
    if kind == "down":
        last = min(max(last, 3), 60)
        return typed(rng, _DOWN[language], n=_spelled(rng, language, last)), range(last, 0, -1)
    question = typed(rng, _UP_TO[language], n=_spelled(rng, language, last))
    return question, range(0 if "zero" in question.lower() else 1, last + 1)


def _limit(rng: random.Random) -> int:
    dice = rng.random()
    if dice < 0.35:
        return rng.choice((3, 5, 10, 10, 10, 12, 15, 20, 20, 25, 30, 50, 100))
    if dice < 0.90:
        return rng.randint(2, 40)
    return rng.randint(2, COUNTED)


def _range(rng: random.Random) -> tuple[int, int]:
    dice = rng.random()
    if dice < 0.35:  # across a hundred
        first = rng.randint(80, 100)
        last = rng.randint(max(first + 1, 100), COUNTED)
    else:
        first = rng.randint(0, 110)
        last = min(COUNTED, first + rng.randint(2, 25))
    return (last, first) if rng.random() < 0.12 else (first, last)


def _spelled(rng: random.Random, language: str, number: int) -> str:
    small = _SMALL[language].split()
    if rng.random() < 0.35:
        if number <= len(small):
            return small[number - 1]
        if language == "en" and number in _TENS:
            return _TENS[number]
    return str(number)
