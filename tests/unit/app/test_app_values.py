from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from headrace.app.values import Given, convert, expected, nearest
from headrace.core.errors import SettingsError

Port = Annotated[int, Meta(ge=0, le=65535)]


def typed(value: Any) -> Given:
    return Given(("server", "port"), value, "headrace.toml, [server] port")


def text(value: str) -> Given:
    return Given(("server", "port"), value, "environment, HEADRACE_PORT", is_text=True)


@pytest.mark.parametrize(
    ("value", "target", "result"),
    [
        ("8001", Port, 8001),
        ("2.5", float, 2.5),
        ("true", bool, True),
        ("full", Literal["normal", "full"], "full"),
        ("7", int | None, 7),
        ("a, b,,c", tuple[str, ...], ("a", "b", "c")),
        ("a", list[str] | None, ["a"]),
        ('{"x": "box/a"}', dict[str, str], {"x": "box/a"}),
        ("data", Path, Path("data")),
    ],
)
def test_text_becomes_the_type_of_its_key(value: str, target: Any, result: Any) -> None:
    assert convert(text(value), target) == result


@pytest.mark.parametrize(
    ("value", "target", "result"),
    [(8001, Port, 8001), (10, float, 10.0), (["a"], tuple[str, ...], ("a",)), ("data", Path, Path("data"))],
)
def test_typed_values_keep_their_type(value: Any, target: Any, result: Any) -> None:
    assert convert(typed(value), target) == result


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert convert(typed("~/data"), Path) == Path("/home/ada/data")


@pytest.mark.parametrize(
    ("given", "target", "message"),
    [
        (typed("8000"), Port, "headrace.toml, [server] port: expected a whole number from 0 to 65535, not '8000'"),
        (typed(True), int, "headrace.toml, [server] port: expected a whole number, not True"),
        (text("many"), Port, "environment, HEADRACE_PORT: expected a whole number from 0 to 65535, not 'many'"),
        (text("70000"), Port, "environment, HEADRACE_PORT: expected a whole number from 0 to 65535, not '70000'"),
        (text("nan"), Annotated[float, Meta(gt=0, le=9)], "expected a number above 0 and of at most 9, not 'nan'"),
        (text("{"), dict[str, str], "expected a table, each value text, not '{'"),
        (typed(3), Path, "expected a path, not 3"),
        (typed("~nobody-of-this-name/data"), Path, "expected a path, not '~nobody-of-this-name/data'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_is_expected(given: Given, target: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        convert(given, target)
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize("key", ["api_key", "headers"])
def test_a_value_that_may_be_a_secret_is_not_shown(key: str) -> None:
    with pytest.raises(SettingsError, match="expected text, not a value of type int") as caught:
        convert(Given(("providers", "box", key), 123456, "headrace.toml"), str)
    assert "123456" not in caught.value.message


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Annotated[int, Meta(ge=1)] | None, "a whole number of at least 1"),
        (Annotated[float, Meta(ge=0, le=10)], "a number from 0 to 10"),
        (Literal["normal", "full"], "`full` or `normal`"),
        (bool, "true or false"),
        (tuple[str, ...] | None, "a list, each text"),
        (dict[str, int], "a table, each value a whole number"),
        (dict[Literal["a", "b"], str], "a table with `a` or `b`, each value text"),
        (Path, "a path"),
        (Annotated[str, Meta(min_length=1)], "text"),
    ],
)
def test_a_type_is_put_in_words(target: Any, words: str) -> None:
    assert expected(target) == words


def test_the_nearest_word_is_found_however_far_it_is() -> None:
    assert nearest("prt", {"host", "port"}) == "port"
    assert nearest("xyz", {"host"}) == "host"
