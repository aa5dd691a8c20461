"""What all bodies in the formats of others are read by."""

from typing import Any

import msgspec
import pytest

from headrace.core.errors import BadField, BadRequest, NotAvailable
from headrace.formats.asking import checked, data_url, object_in, refuse, wrong


class Thing(msgspec.Struct):
    a: list[int] = []
    b: dict[str, int] = {}


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"a"', b"\xff", b'{"a":"\\ud800"}', b'{"a":NaN}', b"{} {}"])
def test_what_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(BadRequest):
        object_in(body)


def test_an_object_is_read() -> None:
    assert object_in(b' {"a": [1, {"b": null}]} ') == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(("levels", "refused"), [(200, False), (201, True), (50_000, True)])
def test_nesting_has_a_bound(levels: int, *, refused: bool) -> None:
    body = b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    if refused:
        with pytest.raises(BadRequest):
            object_in(body)
    else:
        assert object_in(body).keys() == {"a"}


def test_many_brackets_beside_each_other_are_not_deep() -> None:
    assert len(object_in(b'{"a":[' + b"[],{}," * 1000 + b"1]}")["a"]) == 2001


@pytest.mark.parametrize(
    ("value", "field", "path"),
    [
        ({"a": 1}, "", "a"),
        ({"a": [1, "x"]}, "", "a.1"),
        ({"a": [1, "x"]}, "outer", "outer.a.1"),
        ({"b": {"x": "y"}}, "", "b"),
        (7, "", "body"),
        (7, "outer", "outer"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(value: Any, field: str, path: str) -> None:
    with pytest.raises(BadField) as raised:
        checked(value, Thing, field=field)
    assert raised.value.field == path


def test_what_is_right_is_the_struct() -> None:
    assert checked({"a": [1], "more": 2}, Thing) == Thing(a=[1])


def test_the_errors_name_their_field_and_say_it_in_a_sentence() -> None:
    assert (wrong("a.b", "Expected `int`").message, wrong("a.b", "x").field) == (
        "The field 'a.b' cannot be this: expected `int`.",
        "a.b",
    )
    assert (refuse("a", "No.").message, refuse("a", "No.").code) == ("No.", "not_available")


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif"])
def test_a_picture_is_taken_out_of_its_url(kind: str) -> None:
    assert data_url(f"data:image/{kind};base64,QUJD", field="x") == (f"image/{kind}", "QUJD")


@pytest.mark.parametrize(
    "url", ["http://x", "https://x", "file:///x", "//x", "/x", "x", "", " data:image/png;base64,QUJD"]
)
def test_what_leads_elsewhere_is_not_available(url: str) -> None:
    with pytest.raises(NotAvailable):
        data_url(url, field="x")


@pytest.mark.parametrize(
    "url",
    ["data:image/png;base64,", "data:image/png;base64,Q UJD", "data:image/png,QUJD", "data:text/html;base64,QUJD"],
)
def test_other_data_is_no_picture(url: str) -> None:
    with pytest.raises(BadField) as raised:
        data_url(url, field="x")
    assert raised.value.code == "invalid_field"
