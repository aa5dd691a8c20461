"""This module makes the turns about the calendar: days of the week, months and seasons."""

import random

from .wording import typed, words

__all__ = ["calendar"]

DAYS = {
    "en": words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "es": words("lunes, martes, miércoles, jueves, viernes, sábado, domingo"),
    "fr": words("lundi, mardi, mercredi, jeudi, vendredi, samedi, dimanche"),
    "de": words("Montag, Dienstag, Mittwoch, Donnerstag, Freitag, Samstag, Sonntag"),
}
MONTHS = {
    "en": words("January, February, March, April, May, June, July, August, September, October, November, December"),
    "es": words("enero, febrero, marzo, abril, mayo, junio, julio, agosto, septiembre, octubre, noviembre, diciembre"),
    "fr": words("janvier, février, mars, avril, mai, juin, juillet, août, septembre, octobre, novembre, décembre"),
    "de": words("Januar, Februar, März, April, Mai, Juni, Juli, August, September, Oktober, November, Dezember"),
}
SEASONS = {
    "en": words("spring, summer, autumn, winter"),
    "es": words("primavera, verano, otoño, invierno"),
    "fr": words("printemps, été, automne, hiver"),
    "de": words("Frühling, Sommer, Herbst, Winter"),
}

_AND = {"en": " and ", "es": " y ", "fr": " et ", "de": " und "}

# "Name the ...": what comes before the thing, and after it
_CARRIERS = {
    "en": """{name|list|tell me|what are|can you name|say|give me|please list|write down|could you list|please name|\
do you know|recite|show me|I need|write|} {the |all the |all |all seven |}<thing>{| in order|, please| please|}{.|?|}""",
    "es": """{dime|nombra|cuáles son|¿cuáles son|lista|enumera|¿puedes decir|escribe|di|por favor dime|¿sabes|} {los |todos los |}\
<thing>{|, por favor| por favor|?}""",
    "fr": """{dis-moi|nomme|quels sont|cite|peux-tu citer|donne-moi|énumère|liste|écris|récite|} {les |tous les |}<thing>\
{| s'il te plaît|, s'il te plaît| stp| ?}""",
    "de": """{nenne|nenn mir|wie heißen|was sind|sag mir|kannst du|liste|schreib|zähle|bitte nenne|} {die |alle |mir alle |}<thing>\
{| bitte|, bitte|?| auf| nennen}""",
}
_THINGS = {
    "en": ("{days of the week|weekdays|week days|days in a week|names of the days}",
           "{months|months of the year|months in a year|names of the months|twelve months|12 months}",
           "{seasons|four seasons|seasons of the year|names of the seasons}"),
    "es": ("{días de la semana|siete días de la semana|nombres de los días}", "{meses|meses del año|doce meses|nombres de los meses}",
           "{estaciones|estaciones del año|cuatro estaciones}"),
    "fr": ("{jours de la semaine|sept jours de la semaine|noms des jours}", "{mois|mois de l'année|douze mois|noms des mois}",
           "{saisons|saisons de l'année|quatre saisons}"),
    "de": ("{Wochentage|Tage der Woche|sieben Tage der Woche|Namen der Tage}", "{Monate|Monate des Jahres|zwölf Monate|Namen der Monate}",
           "{Jahreszeiten|vier Jahreszeiten}"),
}  # fmt: skip
_LISTS = {
    "en": ("The days of the week are <list>.", "The months are <list>.", "The seasons are <list>."),
    "es": ("Los días de la semana son <list>.", "Los meses son <list>.", "Las estaciones son <list>."),
    "fr": ("Les jours de la semaine sont <list>.", "Les mois sont <list>.", "Les saisons sont <list>."),
    "de": ("Die Wochentage sind <list>.", "Die Monate sind <list>.", "Die Jahreszeiten sind <list>."),
}

# The next and the one before: <what> is the kind of thing, <x> the one that is named
_NEXT = {
    "en": """{{what|which} <what> {comes|is|follows} {right |just |}after <x>?|what comes after <x>?|what is the <what> after <x>?|\
<x> is followed by {which|what} <what>?|{the |}<what> after <x>|after <x> comes {which|what} <what>?|what follows <x>?|\
tell me the <what> {that comes |}after <x>|what's after <x>?|next <what> after <x>?|if it is <x>, what <what> comes next?}""",
    "es": "{¿qué <what> viene después de <x>?|¿qué viene después de <x>?|¿cuál es el <what> después de <x>?|¿qué <what> sigue a <x>?|"
    "el <what> después de <x>}",
    "fr": "{quel <what> vient après <x> ?|qu'est-ce qui vient après <x> ?|quel est le <what> après <x> ?|quel <what> suit <x> ?|"
    "le <what> après <x>}",
    "de": "{welcher <what> kommt nach <x>?|was kommt nach <x>?|welcher <what> folgt auf <x>?|der <what> nach <x>|"
    "welcher <what> ist nach <x>?}",
}
_BEFORE = {
    "en": """{{what|which} <what> {comes|is} {right |just |}before <x>?|what comes before <x>?|what is the <what> before <x>?|\
{the |}<what> before <x>|before <x> comes {which|what} <what>?|tell me the <what> {that comes |}before <x>|what's before <x>?|\
{which|what} <what> precedes <x>?|previous <what> to <x>?}""",
    "es": "{¿qué <what> viene antes de <x>?|¿qué viene antes de <x>?|¿cuál es el <what> antes de <x>?|¿qué <what> precede a <x>?}",
    "fr": "{quel <what> vient avant <x> ?|qu'est-ce qui vient avant <x> ?|quel est le <what> avant <x> ?|quel <what> précède <x> ?}",
    "de": "{welcher <what> kommt vor <x>?|was kommt vor <x>?|welcher <what> ist vor <x>?|der <what> vor <x>}",
}
_AFTER_IS = {
    "en": "After {x} comes {y}.",
    "es": "Después de {x} viene {y}.",
    "fr": "Après {x} vient {y}.",
    "de": "Nach {x} kommt {y}.",
}
_BEFORE_IS = {
    "en": "Before {x} comes {y}.",
    "es": "Antes de {x} viene {y}.",
    "fr": "Avant {x} vient {y}.",
    "de": "Vor {x} kommt {y}.",
}
_KINDS = {"en": ("day", "month"), "es": ("día", "mes"), "fr": ("jour", "mois"), "de": ("Tag", "Monat")}

_HOW_MANY: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("how many {days|weekdays} {are there in|are in|does|has} {a|the|one} week{| have}?", "There are 7 days in a week."),
        ("how many months {are there in|are in|has|does} {a|the|one} year{| have}?", "There are 12 months in a year."),
        ("how many seasons are {there|there in a year|in a year}?", "There are 4 seasons in a year."),
        ("how many days {are there in|are in|has|does} {a|the|one} year{| have}?",
         "There are 365 days in a year, and 366 in a leap year."),
        ("{what is the first|which is the first|first|what's the first|which day is the first} {day |}of the week?",
         "The first day of the week is Monday."),
        ("what is the last day of the week?", "The last day of the week is Sunday."),
        ("{what is|which is|what's} the first month{| of the year}?", "The first month is January."),
        ("{what is|which is|what's} the last month{| of the year}?", "The last month is December."),
    ),
    "es": (
        ("¿cuántos días {tiene|hay en} {una|la} semana?", "Una semana tiene 7 días."),
        ("¿cuántos meses {tiene|hay en} {un|el} año?", "Un año tiene 12 meses."),
        ("¿cuántas estaciones {hay|tiene el año}?", "Un año tiene 4 estaciones."),
    ),
    "fr": (
        ("combien {de jours y a-t-il dans|de jours dans|y a-t-il de jours dans} une semaine ?", "Une semaine a 7 jours."),
        ("combien {de mois y a-t-il dans|de mois dans|y a-t-il de mois dans} {une année|un an} ?", "Une année a 12 mois."),
        ("combien de saisons {y a-t-il|dans une année} ?", "Une année a 4 saisons."),
    ),
    "de": (
        ("wie viele Tage hat {eine|die} Woche?", "Eine Woche hat 7 Tage."),
        ("wie viele Monate hat {ein|das} Jahr?", "Ein Jahr hat 12 Monate."),
        ("wie viele Jahreszeiten {gibt es|hat ein Jahr}?", "Ein Jahr hat 4 Jahreszeiten."),
    ),
}  # fmt: skip
_IN = {"es": "in Spanish", "fr": "in French", "de": "in German"}
_BACKWARDS = (
    "{name|list|say|tell me} the {days of the week|weekdays} {backwards|in reverse|in reverse order}{| please|.}"
)


def calendar(rng: random.Random, language: str) -> tuple[str, str]:
    """Return a question about days, months or seasons, and the answer."""
    tables = (DAYS[language], MONTHS[language], SEASONS[language])
    dice = rng.random()
    if language == "en" and dice < 0.05:
        other = rng.choice(tuple(_IN))
        which = rng.randrange(3)
        question = typed(
            rng, f"{{name|list|tell me|say|what are}} the {_THINGS['en'][which]} {_IN[other]}{{| please|?}}"
        )
        return question, _LISTS[other][which].replace("<list>.", _joined(other, (DAYS, MONTHS, SEASONS)[which][other]))
    if dice < 0.42:
        which = rng.choice((0, 0, 1, 1, 2))
        if language == "en" and which == 0 and rng.random() < 0.06:
            return typed(rng, _BACKWARDS), "Backwards, the days of the week are " + _joined(language, DAYS["en"][::-1])
        question = typed(rng, _CARRIERS[language].replace("<thing>", _THINGS[language][which]))
        return question, _LISTS[language][which].replace("<list>.", _joined(language, tables[which]))
    if dice < 0.86:
        which = rng.choice((0, 0, 1, 1, 1))
        table = tables[which]
        at = rng.randrange(len(table))
        forward = rng.random() < 0.58
        asked = (_NEXT if forward else _BEFORE)[language]
        question = typed(rng, asked, what=_KINDS[language][which], x=table[at])
        other = table[(at + (1 if forward else -1)) % len(table)]
        return question, (_AFTER_IS if forward else _BEFORE_IS)[language].format(x=table[at], y=other)
    asked, answer = rng.choice(_HOW_MANY[language])
    return typed(rng, asked), answer


def _joined(language: str, items: tuple[str, ...]) -> str:
    return ", ".join(items[:-1]) + _AND[language] + items[-1] + "."
