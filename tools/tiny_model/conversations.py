"""This module makes the conversations from which the model learns: what is said, how often, and in which order.

python -m tools.tiny_model.conversations 60 [SEED]      # print so many of them
"""

import random
import sys
from collections.abc import Iterator

from .conversations_calendar import calendar
from .conversations_greetings import accepted, feeling, greeting, leave, smalltalk, thanks, wellbeing
from .conversations_identity import identity
from .conversations_json import json_answer
from .conversations_names import a_name, ask_name, give_name
from .conversations_numbers import counting
from .conversations_refusals import pasted, refusal
from .conversations_setup import setup
from .conversations_stories import story, story_text, told
from .wording import invented, pick_language

__all__ = ["Message", "conversation", "conversations"]

Message = dict[str, str]
"""One message: its `role` and its `content`."""

_SHARES = {
    "greeting": 9,
    "wellbeing": 3,
    "feeling": 3,
    "leave": 6,
    "thanks": 4,
    "smalltalk": 3,
    "story": 15,
    "counting": 14,
    "calendar": 11,
    "identity": 9,
    "setup": 10,
    "refusal": 28,
    "json": 7,
    "ask_name": 3,
    "pasted": 1,
}
"""How often a first turn is of which kind, in parts."""

_LATER = {
    **_SHARES,
    "thanks": 10,
    "leave": 9,
    "feeling": 6,
    "story": 7,
    "ask_name": 6,
    "greeting": 4,
    "json": 2,
    "pasted": 0,
}
"""The same of the turns after the first one."""

_BEFORE = {
    "en": (
        "hi, ",
        "Hello! ",
        "Hey, ",
        "Hello, ",
        "Good morning! ",
        "please, ",
        "So ",
        "ok, ",
        "Hi there. ",
        "Excuse me, ",
        "I have a question: ",
    ),
    "es": ("hola, ", "¡Hola! ", "Buenos días, ", "por favor, ", "ok, ", "Tengo una pregunta: "),
    "fr": ("bonjour, ", "Salut ! ", "Bonjour ! ", "ok, ", "Excuse-moi, ", "J'ai une question : "),
    "de": ("hallo, ", "Hallo! ", "Guten Tag, ", "ok, ", "Bitte, ", "Ich habe eine Frage: "),
}
"""What people say before they come to what they want."""

_ASKED = frozenset(("story", "counting", "calendar", "identity", "setup", "refusal"))

_SYSTEM = (
    "You are a helpful assistant.",
    "You are a helpful, honest and concise assistant.",
    "Answer briefly.",
    "You are a friendly chatbot.",
    "You are an AI assistant. Answer the user's questions.",
    "Be kind and polite.",
    "You answer in the language of the user.",
    "You are an expert in everything.",
    "Eres un asistente útil.",
    "Tu es un assistant utile.",
    "Du bist ein hilfreicher Assistent.",
    "Keep your answers short and clear.",
    "Use Markdown where it helps.",
    "You are a careful assistant. If you do not know something, say so.",
)


def conversations(count: int, seed: int) -> Iterator[list[Message]]:
    """Return so many conversations, the same ones for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield conversation(rng)


def conversation(rng: random.Random, kind: str | None = None) -> list[Message]:
    """Return one conversation, of one turn or several, of which the first one is of that kind, if one is given."""
    messages: list[Message] = []
    if rng.random() < 0.12:
        messages.append({"role": "system", "content": _system(rng)})
    language = pick_language(rng)
    name = None
    turns = 1 if rng.random() < 0.68 else rng.randint(2, 5)
    if kind is None and rng.random() < 0.11:
        name = a_name(rng)
        _add(messages, give_name(rng, language, name))
        turns += rng.random() < 0.7
        turns -= 1
    for index in range(turns):
        if index and rng.random() < 0.06:
            language = pick_language(rng)
        if index == 0 and not name:
            chosen = kind or _pick(rng, _SHARES)
        elif name and rng.random() < 0.3:
            chosen = rng.choice(("ask_name", "ask_name", "story"))
        elif index and rng.random() < 0.05:
            name = a_name(rng)
            _add(messages, give_name(rng, language, name))
            continue
        else:
            chosen = _pick(rng, _LATER)
        question, answer = _turn(rng, chosen, language, name)
        if chosen in _ASKED and rng.random() < 0.07:
            question = rng.choice(_BEFORE[language]) + question
        _add(messages, (question, answer))
        yes = accepted(rng, language, messages[-1]["content"]) if chosen == "feeling" and rng.random() < 0.6 else None
        if yes:
            _add(messages, (yes, told(rng, language)))
    return messages


def _turn(rng: random.Random, kind: str, language: str, name: str | None) -> tuple[str, str]:
    with_name = {
        "greeting": greeting, "wellbeing": wellbeing, "feeling": feeling, "leave": leave, "thanks": thanks, "smalltalk": smalltalk,
        "story": story, "ask_name": ask_name,
    }  # fmt: skip
    if kind in with_name:
        return with_name[kind](rng, language, name)
    if kind == "json":
        return json_answer(rng)
    if kind == "pasted":
        return pasted(rng, _long_text(rng))
    plain = {"counting": counting, "calendar": calendar, "identity": identity, "setup": setup, "refusal": refusal}
    return plain[kind](rng, language)


def _pick(rng: random.Random, shares: dict[str, int]) -> str:
    return rng.choices(tuple(shares), tuple(shares.values()))[0]


def _add(messages: list[Message], turn: tuple[str, str]) -> None:
    question, answer = turn
    messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _system(rng: random.Random) -> str:
    if rng.random() < 0.75:
        return rng.choice(_SYSTEM)
    return " ".join(invented(rng) for _ in range(rng.randint(3, 20))).capitalize() + "."


def _long_text(rng: random.Random) -> str:
    if rng.random() < 0.6:
        sentences = story_text(rng, {}).replace("\n\n", " ").split(". ")
        start = rng.randrange(3)
        return ". ".join(sentences[start : start + rng.randint(2, 12)])
    return " ".join(invented(rng) for _ in range(rng.randint(10, 150))).capitalize() + "."


if __name__ == "__main__":
    for number, made in enumerate(conversations(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)):
        print(f"--- {number}")
        for message in made:
            print(f"{message['role']}: {message['content']}")
