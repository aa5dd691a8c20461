"""This script asks a tiny chat model the held-out prompts of `prompts.toml`, and says how many answers are right.

    python tools/tiny_model/evaluate.py MODEL.gguf [--show all] [--temperature 0.7 --seed 1] [--json FILE]

It runs llama.cpp itself, on a free port of 127.0.0.1, and uses the chat template that the model carries. It exits with
1 where fewer answers are right than `--at-least` asks, with 2 where the model or the prompts cannot be read.
"""

import argparse
import http.client
import json
import re
import sys
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import xllamacpp
from msgspec import Struct

_MAX_TOKENS = 700
_TIMEOUT_S = 300
_ERRORS = 1  # llama.cpp's verbosity
_SHOWN = 110  # characters of an answer
_REPEATABLE = 3  # words: a shorter sentence ("Yes!") may be said often
_DOUBT = 1  # word: by how many an answer may seem to be of another language
_RUN = 2  # numbers: a single one in a sentence is no count

_ADDED = ("all_of", "none_of")  # what a prompt adds to a shared expectation; other keys replace the shared ones
_OWN_LANGUAGES = ("en", "es", "fr", "de")

# frequent words that tell the four languages apart, without accents; a word may be of two of them
_FREQUENT = {
    "en": "the and is are you i a an of to hello hi how what my am not can it this that with was he she they we good bye"
    " goodbye thanks thank your for from do don't i'm it's but have had his her there one day welcome know see morning no",
    "es": "el la los las y es un una que no soy estoy puedo con hola adios gracias tu mi para por de del se lo muy bien"
    " pero como esta era dia nada yo te en al su buenos buenas dias hasta luego eres o mas modelo llamo solo a me",
    "fr": "le la les et est un une je suis ne pas que avec bonjour salut merci tu vous mon ton pour de des du ce c'est"
    " bien mais il elle dans au revoir bonsoir jour en ou sur moi toi mes j'ai n'ai plus modele bonne rien a me",
    "de": "der die das und ist ein eine ich bin nicht mit du sie dir mir mein dein auf wiedersehen hallo guten danke gut"
    " zu von den dem es er wir kann war aber fur im in tag bitte gerne oder um nur wie dich mich einen hat auch tschuss",
}
_LANGUAGE_WORDS = {language: frozenset(words.split()) for language, words in _FREQUENT.items()}

_NUMBERS = (
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty""",
    """cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete
    dieciocho diecinueve veinte""",
    """zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit
    dix-neuf vingt""",
    """null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn
    achtzehn neunzehn zwanzig""",
)
_NUMBER_WORDS = {word: number for words in _NUMBERS for number, word in enumerate(words.split())}
_JOINING = frozenset({"and", "then", "y", "e", "luego", "et", "puis", "und", "dann"})  # may stand inside of a count


class Expect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a right answer is like. `prompts.toml` explains the keys."""

    ends: bool = True
    speaks: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    min_words: int = 1
    max_words: int | None = None
    max_sentences: int | None = None
    max_repeats: int | None = None
    numbers: tuple[int, ...] = ()
    in_order: tuple[str, ...] = ()
    in_cycle: tuple[str, ...] = ()
    json: bool = False
    json_keys: tuple[str, ...] = ()


class Prompt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One conversation: the texts of the user, and what is expected of the last answer."""

    intent: str
    language: str
    turns: tuple[str, ...]
    expect: Expect
    system: str | None = None


class Answer(Struct, frozen=True):
    """What the model wrote, and why it stopped (`stop`: by itself)."""

    text: str
    finish: str


class Result(Struct, frozen=True):
    """The answers to one prompt, and what is wrong with them: nothing, where they are right."""

    prompt: Prompt
    answers: tuple[Answer, ...]
    faults: tuple[str, ...]


# -- reading the prompts


def load_prompts(path: Path) -> list[Prompt]:
    """Return the prompts of a file. Raises `ValueError` or `KeyError` where one is not well made."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return [_prompt(entry, document.get("shared", {})) for entry in document["prompts"]]


def _prompt(entry: dict[str, Any], shared: dict[str, dict[str, Any]]) -> Prompt:
    language = entry["language"]
    own = dict(entry["expect"])
    merged = dict(shared[own.pop("like")]) if "like" in own else {}
    for key, value in own.items():
        merged[key] = [*merged.get(key, ()), *value] if key in _ADDED else value
    merged.setdefault("speaks", [language] if language in _OWN_LANGUAGES else [])
    prompt = msgspec.convert({**entry, "expect": merged}, Prompt)
    expect = prompt.expect
    for pattern in (*expect.all_of, *expect.any_of, *expect.none_of, *expect.in_order, *expect.in_cycle):
        re.compile(_fold(pattern))
    return prompt


# -- checking: pure functions from an answer's text to what is wrong with it


def check(answer: Answer, expect: Expect) -> tuple[str, ...]:
    """Return what is wrong with an answer: nothing, where it is right."""
    text = _fold(answer.text)
    faults = [] if answer.finish == "stop" or not expect.ends else [f"did not end by itself ({answer.finish})"]
    for find in _CHECKS:
        faults += find(text, expect)
    return tuple(faults)


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, `don't` and `dix-sept` as one."""
    return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.lower())


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text; a line end ends one, and so does a full stop before anything but a small letter."""
    parts = re.split(r"""\n+|(?<=[.!?…])["'»”)*]*\s+(?=[^a-z\s])""", text)
    return [part for part in parts if words_of(part)]


def counts_of(text: str) -> list[list[int]]:
    """Return the counts in a text: numbers, two or more, with no colon and no word between them but `and`."""
    runs: list[list[int]] = [[]]
    for token in re.findall(r"\d+|[^\W\d_]+(?:-[^\W\d_]+)*|:", text.lower()):
        if token.isdecimal() or token in _NUMBER_WORDS:
            runs[-1].append(int(token) if token.isdecimal() else _NUMBER_WORDS[token])
        elif token not in _JOINING:
            runs.append([])
    return [run for run in runs if len(run) >= _RUN]


def language_of(text: str) -> dict[str, int]:
    """Return how many words of a text are frequent in which language."""
    words = words_of(text)
    return {language: sum(word in known for word in words) for language, known in _LANGUAGE_WORDS.items()}


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.replace("\u2019", "'"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _search(pattern: str, text: str) -> re.Match[str] | None:
    return re.search(_fold(pattern), text, re.IGNORECASE | re.DOTALL)


def _language_faults(text: str, expect: Expect) -> Iterable[str]:
    scores = language_of(text)
    allowed = max((scores[language] for language in expect.speaks), default=None)
    best = max(scores, key=lambda language: scores[language])
    if allowed is not None and scores[best] > allowed + _DOUBT:
        yield f"seems to be {best}, not {' or '.join(expect.speaks)}"


def _pattern_faults(text: str, expect: Expect) -> Iterable[str]:
    for pattern in expect.all_of:
        if not _search(pattern, text):
            yield f"lacks /{pattern}/"
    if expect.any_of and not any(_search(pattern, text) for pattern in expect.any_of):
        yield f"lacks any of /{'/, /'.join(expect.any_of)}/"
    for pattern in expect.none_of:
        if match := _search(pattern, text):
            yield f"has {match[0]!r}"


def _length_faults(text: str, expect: Expect) -> Iterable[str]:
    count = len(words_of(text))
    if count < expect.min_words:
        yield f"{count} words, fewer than {expect.min_words}"
    if expect.max_words is not None and count > expect.max_words:
        yield f"{count} words, more than {expect.max_words}"


def _sentence_faults(text: str, expect: Expect) -> Iterable[str]:
    sentences = [" ".join(words_of(sentence)) for sentence in sentences_of(text)]
    if expect.max_sentences is not None and len(sentences) > expect.max_sentences:
        yield f"{len(sentences)} sentences, more than {expect.max_sentences}"
    if expect.max_repeats is not None:
        for sentence, times in Counter(sentences).items():
            if times > expect.max_repeats and len(sentence.split()) >= _REPEATABLE:
                yield f"says {times} times {sentence!r}"


def _number_faults(text: str, expect: Expect) -> Iterable[str]:
    wanted = list(expect.numbers)
    if not wanted:
        return
    counts = counts_of(text)
    ends = [wanted[0], wanted[-1]]
    others = [run for run in counts if run not in (wanted, ends, ends[::-1])]  # "between 5 and 9: 5, 6, 7, 8, 9"
    if wanted not in counts or others:
        yield f"counts {counts}, not {wanted}"


def _order_faults(text: str, expect: Expect) -> Iterable[str]:
    if expect.in_order and _descents(text, expect.in_order) != 0:
        yield f"lacks some of, or has not in this order: {', '.join(expect.in_order)}"
    if expect.in_cycle and _descents(text, expect.in_cycle) not in (0, 1):
        yield f"lacks some of, or has not in turn: {', '.join(expect.in_cycle)}"


def _descents(text: str, patterns: Sequence[str]) -> int | None:
    """Return how often a pattern's first place lies before that of the one before it: `None` where one is missing.

    What starts in the middle and goes on from the front, as Sunday to Saturday, has one; but then its last must come
    before its first, as it does there.
    """
    found = [_search(pattern, text) for pattern in patterns]
    places = [match.start() for match in found if match]
    if len(places) < len(patterns):
        return None
    descents = sum(after < before for before, after in pairwise(places))
    return descents if descents != 1 or places[-1] < places[0] else len(patterns)


def _json_faults(text: str, expect: Expect) -> Iterable[str]:
    if not expect.json:
        return
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", text, re.DOTALL | re.IGNORECASE)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except ValueError as error:
        yield f"no JSON: {error}"
        return
    if not isinstance(value, dict | list):
        yield "JSON, but neither an object nor an array"
    missing = [key for key in expect.json_keys if not (isinstance(value, dict) and key in value)]
    if missing:
        yield f"JSON without {', '.join(missing)}"


_CHECKS: tuple[Callable[[str, Expect], Iterable[str]], ...] = (
    _language_faults,
    _pattern_faults,
    _length_faults,
    _sentence_faults,
    _number_faults,
    _order_faults,
    _json_faults,
)


# -- asking


class Engine:
    """llama.cpp with one model, in this process, behind its HTTP server on 127.0.0.1."""

    def __init__(self, model: Path, *, threads: int, temperature: float, seed: int) -> None:
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(model)
        parameters.offline = True
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0  # any free one
        parameters.ui = False
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = threads
        parameters.verbosity = _ERRORS
        self._server = xllamacpp.Server(parameters)
        self._address = urlsplit(self._server.listening_address)
        self._settings = {"temperature": temperature, "seed": seed, "max_tokens": _MAX_TOKENS, "cache_prompt": False}

    def ask(self, messages: Sequence[dict[str, str]]) -> Answer:
        """Return the model's answer. Where the engine refuses, its error is the reason why the answer stopped."""
        body = json.dumps({"messages": messages, **self._settings})
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=_TIMEOUT_S)
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        connection.close()
        if response.status != http.HTTPStatus.OK:
            return Answer("", f"error {response.status}: {text[:_SHOWN]}")
        choice = json.loads(text)["choices"][0]
        return Answer((choice["message"]["content"] or "").strip(), choice["finish_reason"])


def hold(engine: Engine, prompt: Prompt) -> Result:
    """Hold one conversation and judge it: its last answer by what is expected, each of them by whether it ended."""
    messages = [] if prompt.system is None else [{"role": "system", "content": prompt.system}]
    answers: list[Answer] = []
    for turn in prompt.turns:
        messages.append({"role": "user", "content": turn})
        answers.append(engine.ask(messages))
        messages.append({"role": "assistant", "content": answers[-1].text})
    early = [f"an earlier answer did not end ({answer.finish})" for answer in answers[:-1] if answer.finish != "stop"]
    return Result(prompt, tuple(answers), (*early, *check(answers[-1], prompt.expect)))


# -- telling


def line_of(number: int, result: Result) -> str:
    """Return one line for a result: its number, what was asked, what is wrong, and how the answer begins."""
    prompt = result.prompt
    asked = " / ".join(prompt.turns)
    answer = " ".join(result.answers[-1].text.split())
    shown = answer if len(answer) <= _SHOWN else f"{answer[:_SHOWN]}…"
    state = f"FAIL ({'; '.join(result.faults)})" if result.faults else "ok"
    return f"{number:3} {prompt.intent}/{prompt.language} [{asked}] {state} -> {shown}"


def table_of(results: Sequence[Result]) -> str:
    """Return a table of how many answers are right for each intent, and of all."""
    asked = Counter(result.prompt.intent for result in results)
    right = Counter(result.prompt.intent for result in results if not result.faults)
    rows = [f"{intent:10} {right[intent]:3}/{of:3}" for intent, of in asked.items()]
    return "\n".join([*rows, f"{'all':10} {right.total():3}/{len(results):3}  {share_of(results):.1%}"])


def share_of(results: Sequence[Result]) -> float:
    """Return the share of right answers."""
    return sum(not result.faults for result in results) / len(results)


def main() -> int:
    """Ask all, tell what is wrong, and return the exit code."""
    options = _options()
    try:
        prompts = load_prompts(options.prompts)
        engine = Engine(options.model, threads=options.threads, temperature=options.temperature, seed=options.seed)
    except (OSError, KeyError, ValueError, RuntimeError, re.error) as error:
        print(f"The model or the prompts cannot be read: {error!r}", file=sys.stderr)
        return 2
    results = []
    for number, prompt in enumerate(prompts, 1):
        result = hold(engine, prompt)
        results.append(result)
        if result.faults or options.show == "all":
            print(line_of(number, result), flush=True)
    print(table_of(results))
    if options.json is not None:
        document = {"share": share_of(results), "results": msgspec.to_builtins(results)}
        options.json.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return 0 if share_of(results) >= options.at_least else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Ask a tiny chat model the held-out prompts.")
    parser.add_argument("model", type=Path, help="the GGUF file")
    parser.add_argument("--prompts", type=Path, default=Path(__file__).with_name("prompts.toml"))
    parser.add_argument("--show", choices=("failed", "all"), default="failed")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--at-least", type=float, default=0.92, help="the share of right answers that is asked for")
    parser.add_argument("--json", type=Path, help="where to write all answers")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
