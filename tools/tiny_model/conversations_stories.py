"""This module makes the turns in which a story is told: in English, with the hero, thing, place and name that were asked for."""

import random

from .conversations_names import BOYS, GIRLS, a_name
from .conversations_plots import ENDINGS, OPENINGS, PLOTS
from .conversations_tales import tale
from .wording import invented, say, typed, words

__all__ = ["story", "story_text", "told"]

_HEROES = words("""
    fox, cat, dog, rabbit, bear, mouse, owl, dragon, hedgehog, squirrel, frog, turtle, snail, duck, goose, pony, horse, wolf, lion, elephant, penguin,
    whale, crow, sparrow, spider, bee, beetle, goat, sheep, donkey, pig, cow, hen, seal, otter, badger, deer, monkey, parrot, crab, robot, wizard, witch,
    giant, dwarf, fairy, mermaid, ghost, troll, elf, unicorn, monster, knight, princess, prince, king, queen, pirate, sailor, fisherman, baker, tailor,
    shepherd, gardener, painter, teacher, doctor, clockmaker, miller, farmer, astronaut, inventor, musician, librarian, lighthouse keeper, girl, boy,
    snowman, cloud, dinosaur, alien, kitten, puppy, tiger, hamster, butterfly, firefly, octopus, mole, ant, bat, swan, juggler, cook, explorer, detective""")
_THINGS = words("""
    lantern, key, kite, bell, umbrella, violin, clock, scarf, mirror, candle, drum, flute, compass, teapot, hat, basket, ring, book, feather, shell, lamp,
    music box, telescope, cup, spoon, button, boat, wheel, whistle, blanket, box, coin, trumpet, bottle, chair, guitar, balloon, crown, pot, wheelbarrow""")
_HOMES = words("""
    in a village by the sea, at the edge of a dark forest, in a small house on a hill, in a valley between high mountains, in a town with crooked streets,
    on a little island, by a wide river, in an old windmill, in a big city, in a quiet village, under the roots of an old oak, near a lighthouse,
    behind the last houses of the town, in a house with a blue door, in a garden full of apple trees, at the end of a long road""")
_SPOTS = words(
    "a forest, the sea, a village, the moon, a castle, an island, the mountains, a desert, a garden, a lighthouse, a big city, a river, a farm, a cave, space"
)
_FRIENDS = words(
    "owl, fox, badger, turtle, goose, hare, bear, cat, dog, mouse, crow, goat, donkey, sailor, gardener, miller, baker, shepherd, wizard, frog, heron, beaver"
)
_FEARS = words(
    "the dark, thunder, deep water, heights, the forest, loud noises, strangers, flying, spiders, the sea, being alone, the night, ghosts, storms"
)
_WISHES = words(
    "fly, sing, dance, swim, paint, see the sea, learn to read, play the violin, build a boat, juggle, bake a cake, write poems, ride a horse, whistle"
)
_THEMES = words(
    "friendship, courage, kindness, honesty, patience, hope, love, sharing, forgiveness, trust, helping others, family, winter, magic, adventure, dreams"
)
_SHE = frozenset(words("witch, fairy, mermaid, princess, queen, girl, cow, hen"))
_HE = frozenset(words("wizard, prince, king, fisherman, boy, snowman"))

_ASK = """{{{|can you |could you |please |would you |will you |I want you to |I would like you to }{tell|tell me|write|write me|make up|invent|give me|read me|tell us|create|compose}|\
I want to hear|I want|I'd like|I would love|let me hear|how about|let's have|do you know|have you got|time for|I need|} {a|a|a|one|another|some} \
{|short |little |nice |brief |small |good |funny |sweet |bedtime |fairy |quick |new |cute |beautiful |happy |tiny |short bedtime |children's |}\
{story|story|story|tale|story for children|storey|fairy tale}|{tell|write} {a|me a} story}"""
_BARE = """{story|story please|a story|story time|tell me something: a story|tell a tale|once upon a time|another story|another one please|one more story|tell another|\
tell me a story|tell me a short story|write a short story|tell me another one|a short story, please|can you tell stories?|tell me a bedtime story|I am bored, tell me a story|\
make up a story|can you tell me a story?|could you write a story?|a different story|give me a story|a new story please|bedtime story|story!|just tell me any story}"""
_END = "{|||, please| please|.|?|!| thanks| now| for tonight}"
_ABOUT = "{about|about|about|of|with|on|featuring|where there is|in which there is}"

Slots = dict[str, str]


def story(rng: random.Random, language: str, name: str | None = None) -> tuple[str, str]:
    """Return a request for a story, and the story; `name` is what the person is called, if that was told."""
    if language != "en":
        return tale(rng, language)
    asked, given = _request(rng, name)
    question = typed(rng, asked, **given)
    return question, story_text(rng, given)


def told(rng: random.Random, language: str) -> str:
    """Return a story about anything."""
    return story_text(rng, {}) if language == "en" else tale(rng, language)[1]


def story_text(rng: random.Random, given: Slots) -> str:
    """Return an English story of 150 to 300 words, with what is given and all else invented."""
    slots = _slots(rng, given.get("hero")) | given
    if "pronoun" in given:
        slots |= _pronouns(given["pronoun"])
    plot = "fear" if "fear" in given else "wish" if "wish" in given else rng.choice(tuple(PLOTS))
    parts = [rng.choice(OPENINGS) + " " + PLOTS[plot][0], *PLOTS[plot][1:]]
    parts[0] = _about(given) + parts[0]
    if rng.random() < 0.4:
        parts[-1] += " " + rng.choice(ENDINGS)
    return say(rng, "\n\n".join(parts), **slots) + "\n\nThe end."


def _about(given: Slots) -> str:
    """Return the first sentence of a story about more than a hero: what was asked for comes first, not somewhere later."""
    for other in ("thing", "kind"):
        if other in given:
            return f"{{This is|Here is}} the story of {'<a hero> and ' if 'hero' in given else ''}<a {other}>. "
    return "{This is|Here is} a story about <theme>. " if "theme" in given else ""


def _slots(rng: random.Random, hero: str | None) -> Slots:
    hero = hero or rng.choice(_HEROES)
    name, pronoun = _hero_name(rng, "she" if hero in _SHE else "he" if hero in _HE else None)
    friend = a_name(rng)
    while friend == name:
        friend = a_name(rng)
    kind = rng.choice(_FRIENDS)
    return {
        "name": name, "hero": hero, "kind": kind if kind != hero else "heron", "friend": friend, "thing": rng.choice(_THINGS),
        "home": rng.choice(_HOMES), "fear": rng.choice(_FEARS), "wish": rng.choice(_WISHES),
    } | _pronouns(pronoun)  # fmt: skip


def _pronouns(pronoun: str) -> Slots:
    return {"she": "he", "her": "him", "pos": "his"} if pronoun == "he" else {"she": "she", "her": "her", "pos": "her"}


def _hero_name(rng: random.Random, pronoun: str | None = None) -> tuple[str, str]:
    pronoun = pronoun or rng.choice(("she", "he"))
    if rng.random() < 0.7:
        return rng.choice(GIRLS if pronoun == "she" else BOYS), pronoun
    return invented(rng, least=2).capitalize(), pronoun


def _request(rng: random.Random, own_name: str | None) -> tuple[str, Slots]:
    if own_name and rng.random() < 0.55:
        return _ASK + " {about me|about me|with me in it|where I am the hero|in which I appear|for me}" + _END, _person(
            rng, own_name
        )
    kind = rng.choices(
        ("bare", "hero", "named", "child", "thing", "both", "home", "theme", "friends", "fear", "wish", "intro"),
        (20, 22, 9, 9, 6, 12, 4, 5, 5, 4, 4, 2),
    )[0]
    hero = rng.choice(_HEROES) if rng.random() < 0.75 else invented(rng)
    thing = rng.choice(_THINGS) if rng.random() < 0.75 else invented(rng)
    adjective = "{|||little |small |brave |lonely |old |young |clever |sad |tiny |friendly |shy }"
    about = f"{_ASK} {_ABOUT} "
    name, pronoun = _hero_name(rng, "she" if hero in _SHE else "he" if hero in _HE else None)
    called = {"name": name, "pronoun": pronoun}
    other = rng.choice(_FRIENDS)
    shapes: dict[str, tuple[str, Slots]] = {
        "bare": (rng.choice((_BARE + "{| please|}", _ASK + _END)), {}),
        "hero": (about + "{a " + adjective + "<hero>|<a hero>|<a hero>|the <hero>|my <hero>|one <hero>|<hero>s}" + _END, {"hero": hero}),
        "named": (about + "{<a hero> {named|called|whose name is} <name>|<name> the <hero>|the <hero> <name>}" + _END, {"hero": hero} | called),
        "child": _for_child(rng, called, about),
        "thing": (about + "{a {lost |broken |magic |golden |old |}<thing>|<a thing>|the <thing>}" + _END, {"thing": thing}),
        "both": (about + "{<a hero> and <a thing>|<a hero> {with|who finds|who has|who loses|and the} <thing>|<a hero> who {finds|has|loves|loses} <a thing>}" + _END,
                 {"hero": hero, "thing": thing}),
        "home": _at_home(rng, hero),
        "theme": (about + "<theme>" + _END, {"theme": rng.choice(_THEMES)}),
        "friends": (about + "{<a hero> and <a kind>|the <hero> and the <kind>|<a hero> who meets <a kind>}" + _END,
                    {"hero": hero, "kind": other if other != hero else "heron"}),
        "intro": (
            "{My name is|I am|I'm|This is} <name>{. |, |! |, please }" + _ASK + _END,
            _person(rng, name),
        ),
        "fear": (about + "<a hero> who is {afraid|scared} of <fear>" + _END, {"hero": hero, "fear": rng.choice(_FEARS)}),
        "wish": (about + "<a hero> who wants to <wish>" + _END, {"hero": hero, "wish": rng.choice(_WISHES)}),
    }  # fmt: skip
    return shapes[kind]


def _person(rng: random.Random, name: str) -> Slots:
    pronoun = "she" if name in GIRLS else "he" if name in BOYS else rng.choice(("she", "he"))
    return {"name": name, "hero": "girl" if pronoun == "she" else "boy", "pronoun": pronoun}


def _for_child(rng: random.Random, called: Slots, about: str) -> tuple[str, Slots]:
    girl = called["pronoun"] == "she"
    kin = "{daughter|niece|sister|granddaughter|little girl}" if girl else "{son|nephew|brother|grandson|little boy}"
    who = "{girl|woman|princess}" if girl else "{boy|man|prince}"
    text = rng.choice((
        _ASK + " for my " + kin + " <name>" + _END, about + "my " + kin + " <name>" + _END, about + "<name>" + _END,
        about + "a {little |young |}" + who + " {named|called} <name>" + _END, about + "<name> and <a thing>" + _END,
    ))  # fmt: skip
    slots = called | {"hero": "girl" if girl else "boy"}
    return text, slots | ({"thing": rng.choice(_THINGS)} if "<a thing>" in text else {})


def _at_home(rng: random.Random, hero: str) -> tuple[str, Slots]:
    spot = rng.choice(_SPOTS)
    near = {
        "the moon": "on the moon",
        "an island": "on an island",
        "a farm": "on a farm",
        "the sea": "by the sea",
        "a river": "by a river",
    }.get(spot, f"in {spot}")
    place = rng.choice((" about ", " set in ", " in ")) + spot
    if rng.random() < 0.5:
        return _ASK + place + _END, {"home": near}
    return _ASK + " about <a hero> " + near + _END, {"home": near, "hero": hero}
