from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.chat import templates
from headrace.chat.templates import (
    MAX_NAME,
    MAX_TEXT,
    MAX_VARIABLES,
    Templates,
    described,
    message_of,
    render,
    variables_in,
)
from headrace.core.clock import SystemClock
from headrace.core.errors import BadField, NotFound
from headrace.core.messages import ImagePart, Part, TextPart
from headrace.core.principal import LOCAL
from headrace.store.records import Template, TemplateChanges, Variable
from headrace.store.store import Store

PICTURE = ImagePart("image/png", "aaaa")

_NAMES = st.from_regex(r"[^\W\d]\w{0,10}", fullmatch=True)
_TEXTS = st.text() | st.lists(st.sampled_from(["{", "}", "{{", "}}", "\\", " ", "a", "b1", "{{a}}", "\n"])).map("".join)


def template(content: str, *variables: Variable) -> Template:
    return Template(
        id=1,
        owner_id=1,
        name="Translate",
        description=None,
        content=content,
        variables=variables,
        created_at=0,
        updated_at=0,
    )


def made(content: str, values: Mapping[str, str], text: str = "", *variables: Variable) -> str:
    """Return the text that a template makes."""
    (part,) = message_of(template(content, *variables), values, (TextPart(text),) if text else ())
    assert isinstance(part, TextPart)
    return part.text


def refused(content: str, values: Mapping[str, str], text: str = "", *variables: Variable) -> BadField:
    with pytest.raises(BadField) as caught:
        made(content, values, text, *variables)
    return caught.value


# The syntax


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("{{a}} {{b}} {{a}}", ("a", "b")),
        ("{{ a }}{{\tb\t}}", ("a", "b")),
        ("{{_}} {{a1_B}} {{A1_b}}", ("_", "a1_B", "A1_b")),
        ("{{\u4e3b\u9898}} {{\u044f\u0437\u044b\u043a}}", ("\u4e3b\u9898", "\u044f\u0437\u044b\u043a")),
        ("{{" + "x" * MAX_NAME + "}}", ("x" * MAX_NAME,)),
        ("{{{a}}}", ("a",)),
        ("{{{{a}}}}", ("a",)),
        ("\\{{a}}", ()),
        ("\\\\{{a}}", ()),
        ("{a} {{}} {{ }} {{1a}} {{a b}} {{a.b}} {{a|upper}} {{#if a}} {{'a'}} {{a\n}} {% a %} ${a} {{a}", ()),
        ("{{" + "x" * (MAX_NAME + 1) + "}}", ()),
    ],
)
def test_which_variables_a_text_has(text: str, names: tuple[str, ...]) -> None:
    assert variables_in(text) == names


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Hi {{a}}, {{ b }}!", "Hi A, {{ b }}!"),
        ("{{{a}}}", "{A}"),
        ("\\{{a}} is {{a}}", "{{a}} is A"),
        ("style={\\{{a}}}", "style={{{a}}}"),
        ("\\\\{{a}}", "\\{{a}}"),
        ("{{a}}{{a}}", "AA"),
        ("{a} {{a b}} {{a.b}} {0} %s ${a}", "{a} {{a b}} {{a.b}} {0} %s ${a}"),
    ],
)
def test_what_a_text_says_with_values(text: str, rendered: str) -> None:
    assert render(text, {"a": "A"}) == rendered


@settings(deadline=None)
@given(_TEXTS, st.dictionaries(_NAMES | st.just("a"), _TEXTS))
def test_any_text_can_be_rendered_with_any_values(text: str, values: dict[str, str]) -> None:
    render(text, values)


@settings(deadline=None)
@given(_TEXTS)
def test_a_text_without_values_keeps_its_variables_as_they_are_written(text: str) -> None:
    assert render(text, {}) == text.replace("\\{{", "{{")


@settings(deadline=None)
@given(_TEXTS, _TEXTS)
def test_a_value_is_put_in_as_it_is(value: str, other: str) -> None:
    assert render("<{{a}}|{{b}}|{{a}}>", {"a": value, "b": other}) == f"<{value}|{other}|{value}>"


@settings(deadline=None)
@given(_TEXTS)
def test_every_text_can_be_said_without_variables(text: str) -> None:
    escaped = text.replace("{{", "\\{{")
    assert (variables_in(escaped), render(escaped, {"a": "A"})) == ((), text)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(alphabet="xy z\n}"), _NAMES)), st.text(alphabet="xy z\n}"))
def test_a_text_is_its_pieces_and_its_values(pieces: list[tuple[str, str]], end: str) -> None:
    values = {name: f"<{{{{{name}}}}}>" for _, name in pieces}
    text = "".join(f"{before}{{{{{name}}}}}" for before, name in pieces) + end
    assert render(text, values) == "".join(before + values[name] for before, name in pieces) + end
    assert variables_in(text) == tuple(dict.fromkeys(name for _, name in pieces))


def test_long_runs_of_braces_and_blanks_take_no_long_time() -> None:
    for text in ("{" * 100_000, "{{" + " " * 100_000, "{{a " * 30_000, "\\{{" * 30_000, "{{" + "a" * 100_000):
        render(text, {"a": "A"})
        variables_in(text)


# The variables


def test_variables_are_described_in_the_order_of_the_text() -> None:
    said = (Variable("b", "Second", "B"), Variable("gone", "Was here"))
    assert described(template("{{a}} {{b}}", *said)) == (Variable("a"), Variable("b", "Second", "B"))


# The message


def test_the_text_of_the_message_is_a_variable() -> None:
    content = "Into {{language}}: {{content}}"
    assert made(content, {"language": "French"}, "Good morning") == "Into French: Good morning"


def test_a_template_without_that_variable_stands_before_the_text() -> None:
    assert made("Be brief.", {}, "Why?") == "Be brief.\n\nWhy?"
    assert made("Be brief.", {}) == "Be brief."


def test_a_default_stands_in() -> None:
    default = Variable("language", None, "French")
    assert made("Into {{language}}", {}, "", default) == "Into French"
    assert made("Into {{language}}", {"language": "Dutch"}, "", default) == "Into Dutch"
    assert made("Into {{language}}!", {"language": ""}, "", default) == "Into !"


def test_the_text_may_have_a_default_too() -> None:
    default = Variable("content", None, "Hello")
    assert made("Say {{content}}", {}, "", default) == "Say Hello"
    assert made("Say {{content}}", {}, "Hi", default) == "Say Hi"


def test_what_the_user_wrote_is_no_template() -> None:
    assert made("{{a}}: {{content}}", {"a": "{{content}}"}, "{{a}} \\{{") == "{{content}}: {{a}} \\{{"
    assert made("{{a}}", {"a": "{{a}}"}, "{{a}}") == "{{a}}\n\n{{a}}"


def test_pictures_come_after_the_text() -> None:
    parts: tuple[Part, ...] = (PICTURE, TextPart("What is "), TextPart("this?"))
    assert message_of(template("Briefly: {{content}}"), {}, parts) == (TextPart("Briefly: What is this?"), PICTURE)
    assert message_of(template("What is this?"), {}, (PICTURE,)) == (TextPart("What is this?"), PICTURE)


def test_values_that_are_missing_are_all_named() -> None:
    error = refused("{{a}} {{content}} {{b}} {{c}}", {"b": "B"})
    assert (error.field, error.details["missing"]) == ("variables.a", ["a", "content", "c"])
    assert error.message == (
        "The template 'Translate' needs 'a', 'content', 'c': give 'variables.a', 'content', 'variables.c'."
    )
    assert refused("{{content}}", {}).field == "content"


def test_a_value_of_no_variable_is_refused() -> None:
    error = refused("{{a}} {{content}}", {"a": "A", "language": "French"}, "x")
    assert error.field == "variables.language"
    assert error.message == "The template 'Translate' has no variable 'language'. Leave it out; it has 'a'."
    assert "it has none" in refused("{{content}}", {"b": "B"}, "x").message


def test_the_text_is_given_in_one_way_only() -> None:
    error = refused("{{content}}", {"content": "x"})
    assert error.field == "variables.content"
    assert "field `content`" in error.message


@pytest.mark.parametrize("value", ["", " \n\t"])
def test_a_message_without_text_is_refused(value: str) -> None:
    error = refused(" {{a}}\n", {"a": value})
    assert error.field == "variables"
    assert "empty message" in error.message


def test_a_message_may_have_as_much_text_as_any() -> None:
    half = MAX_TEXT // 2
    assert len(made("{{a}}{{a}}", {"a": "x" * half})) == MAX_TEXT
    assert len(made("ab", {}, "x" * (MAX_TEXT - 4))) == MAX_TEXT


def test_a_message_that_would_be_too_long_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    content = "{{a}}" * 10_000 + "{{b}}"
    error = refused(content, {"a": "x" * 100_000, "b": "y" * 500_000})  # a gigabyte
    assert error.field == "variables.a"
    assert error.message == (
        "The template 'Translate' makes a message of 1,000,500,000 characters, more than 1,000,000. "
        "Shorten the value of 'a'."
    )
    assert refused("{{content}}{{content}}", {}, "x" * 500_001).field == "content"
    assert refused("ab{{a}}", {"a": "x"}, "x" * MAX_TEXT).field == "content"
    monkeypatch.setattr(templates, "MAX_TEXT", 5)
    assert refused("a longer text", {}).field == "content"


# What is stored


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(tmp_path / "headrace.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def kept(store: Store) -> Templates:
    return Templates(store, SystemClock())


async def create(kept: Templates, content: str, *variables: Variable) -> Template:
    return await kept.create(LOCAL, name="Translate", content=content, variables=variables)


async def unmade(kept: Templates, content: str, *variables: Variable) -> BadField:
    with pytest.raises(BadField) as caught:
        await create(kept, content, *variables)
    return caught.value


async def test_a_template_that_makes_sense_is_stored(store: Store, kept: Templates) -> None:
    made = await create(kept, "Into {{language}}: {{content}} \\{{", Variable("content"), Variable("language", "x", ""))
    assert await store.templates.get(LOCAL, made.id) == made
    assert [one.name for one in described(made)] == ["language", "content"]
    assert made.created_at == made.updated_at > 0


@pytest.mark.parametrize(
    ("content", "at", "shown"),
    [
        ("Hi {{a b}}!", 4, "{{a b}}!"),
        ("{{", 1, "{{"),
        ("{{a}} {{}}", 7, "{{}}"),
        ("{{a}}{{1st}}", 6, "{{1st}}"),
        ("{{{{a}}", 1, "{{{{a}}"),
        ("{{#if a}} so {{a}} it is", 1, "{{#if a}} so {{a}} it is"),
        ("{{user.name}} " + "x" * 99, 1, "{{user.name}} xxxxxxxxxx"),
        ("{{\na}}", 1, "{{"),
        ("{{" + "x" * 65 + "}}", 1, "{{" + "x" * 22),
    ],
)
async def test_what_is_no_variable_is_named_with_the_remedy(
    store: Store, kept: Templates, content: str, at: int, shown: str
) -> None:
    error = await unmade(kept, content)
    assert error.field == "content"
    assert error.message == (
        f"What begins at character {at}, `{shown}`, is no variable. Write {{{{name}}}} with a name of letters, digits "
        "and _ that begins with no digit and has at most 64 characters; for braces as they are, write \\{{."
    )
    assert (await store.templates.list(LOCAL)).items == ()


@pytest.mark.parametrize("content", ["", " \n\t "])
async def test_a_template_has_a_text(kept: Templates, content: str) -> None:
    error = await unmade(kept, content)
    assert (error.field, error.message) == ("content", "The template has no text. Write what it is to say.")


async def test_a_template_has_a_bounded_number_of_variables(kept: Templates) -> None:
    names = [f"{{{{v{number}}}}}" for number in range(MAX_VARIABLES)]
    await create(kept, "".join(names) * 2)
    error = await unmade(kept, "".join([*names, "{{more}}"]))
    assert (error.field, error.message) == ("content", "The template has 65 variables. 64 are the most: take some out.")


@pytest.mark.parametrize(
    ("names", "field", "said"),
    [
        (["b"], "variables.0.name", "has no {{b}}"),
        (["a", "a b"], "variables.1.name", "has no {{a b}}"),
        (["a", "a"], "variables.1.name", "'a' is there twice"),
    ],
)
async def test_only_variables_of_the_text_are_described(
    kept: Templates, names: Sequence[str], field: str, said: str
) -> None:
    error = await unmade(kept, "{{a}}", *map(Variable, names))
    assert error.field == field
    assert said in error.message


async def test_changes_are_checked_against_what_stays(store: Store, kept: Templates) -> None:
    made = await create(kept, "{{a}}", Variable("a", None, "A"))
    for changes, field in (
        (TemplateChanges(content="{{a b}}"), "content"),
        (TemplateChanges(content=" "), "content"),
        (TemplateChanges(variables=(Variable("b"),)), "variables.0.name"),
        (TemplateChanges(content="{{b}}", variables=(Variable("a"),)), "variables.0.name"),
    ):
        with pytest.raises(BadField) as caught:
            await kept.update(LOCAL, made.id, changes)
        assert caught.value.field == field
    assert await store.templates.get(LOCAL, made.id) == made
    with pytest.raises(NotFound):
        await kept.update(LOCAL, 99, TemplateChanges())


async def test_what_is_said_of_a_variable_is_there_again_when_it_comes_back(kept: Templates) -> None:
    made = await create(kept, "{{a}}", Variable("a", None, "A"))
    without = await kept.update(LOCAL, made.id, TemplateChanges(content="{{b}}"))
    assert described(without) == (Variable("b"),)
    again = await kept.update(LOCAL, made.id, TemplateChanges(content="{{b}}{{a}}", name="Both"))
    assert (again.name, described(again)) == ("Both", (Variable("b"), Variable("a", None, "A")))
    said = await kept.update(LOCAL, made.id, TemplateChanges(variables=(Variable("b", "Second"),)))
    assert described(said) == (Variable("b", "Second"), Variable("a"))
