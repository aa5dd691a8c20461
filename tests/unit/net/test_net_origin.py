import pytest

from headrace.core.errors import ProviderError, SettingsError
from headrace.net.origin import Origin, check_headers, check_reply, closed, garbled, parse, refused

BOX = Origin("http", "box", 8080)


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://box:8080/v1/models", BOX, "/v1/models"),
        ("http://box/v1?a=b&c", Origin("http", "box", 80), "/v1?a=b&c"),
        ("https://box", Origin("https", "box", 443), "/"),
        ("http://[::1]:9/v1#part", Origin("http", "::1", 9), "/v1"),
        ("HTTP://BOX:8080/V1", BOX, "/V1"),
    ],
)
def test_a_url_is_taken_apart(url: str, origin: Origin, path: str) -> None:
    target = parse(url)
    assert (target.origin, target.path) == (origin, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "box:8080/v1",
        "ftp://box/v1",
        "http:///v1",
        "http://box:99999/v1",
        "http://box:x/v1",
        "http://[::1/v1",
        "http://box/v1\r\nX: y",
        "http://box/a b",
        "http://box/\tv1",
        "http://bücher/v1",
    ],
)
def test_a_url_that_cannot_be_sent_as_it_is_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="Not a URL that can be called"):
        parse(url)


def test_a_key_in_the_url_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError, match="give it as api_key") as caught:
        parse("http://user:hunter2@box/v1")
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("origin", "address", "authority"),
    [
        (BOX, "box:8080", "box:8080"),
        (Origin("http", "box", 80), "box:80", "box"),
        (Origin("https", "box", 443), "box:443", "box"),
        (Origin("http", "::1", 8080), "[::1]:8080", "[::1]:8080"),
    ],
)
def test_an_origin_is_written_as_people_and_as_http_write_it(origin: Origin, address: str, authority: str) -> None:
    assert (origin.address, origin.authority) == (address, authority)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Key": "a\r\nX-Evil: b"},
        {"X-Key": "a\nb"},
        {"X-Key": "a\0b"},
        {"X-Key": "schlüssel"},
        {"X Key": "a"},
        {"X-Key:": "a"},
        {"": "a"},
        {"Host": "elsewhere"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_a_header_that_could_change_the_request_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        check_headers(headers)


def test_the_value_of_a_refused_header_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        check_headers({"Authorization": "Bearer hunter2\n"})
    assert "hunter2" not in caught.value.message


def test_ordinary_headers_pass() -> None:
    check_headers({"Authorization": "Bearer sk-1", "X-Title": "Headrace, the server"})


def test_a_compressed_reply_is_garbled() -> None:
    check_reply(BOX, {"content-encoding": "Identity"})
    with pytest.raises(ProviderError, match="sent its reply as gzip") as caught:
        check_reply(BOX, {"content-encoding": "gzip"})
    assert caught.value.code == "upstream_garbled"


def test_every_error_names_the_server() -> None:
    errors = [refused(BOX, ConnectionRefusedError()), closed(BOX, "hung up"), garbled(BOX, "said hello")]
    assert [error.code for error in errors] == ["upstream_refused", "upstream_closed", "upstream_garbled"]
    assert all("box:8080" in error.message for error in errors)
