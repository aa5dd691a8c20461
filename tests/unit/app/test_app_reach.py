import pytest

from headrace.app import reach
from headrace.app.sections import Server
from headrace.core.errors import SettingsError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_needs_no_access_control(host: str) -> None:
    reach.check_listening(Server(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "localhost.example.org", ""])
def test_what_others_can_reach_needs_it_and_the_refusal_names_the_setting(host: str) -> None:
    with pytest.raises(SettingsError, match=r"Other machines can reach .*`access = true` in \[server\]"):
        reach.check_listening(Server(host=host))
    reach.check_listening(Server(host=host, access=True))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("public_url", None),
        ("public_url", "https://chat.example"),
        ("public_url", "https://Chat.Example:8443/"),
        ("public_url", "http://[fd00::1]:8000"),
        ("allowed_hosts", ()),
        ("allowed_hosts", ("chat.example", "box", "192.168.1.2", "fd00::1", "*")),
        ("allowed_origins", ("https://tools.example", "http://127.0.0.1:5173")),
        ("trusted_proxies", ("127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8")),
        ("host", "any"),
        ("drain_s", 1.0),
    ],
)
def test_what_makes_sense_is_taken(key: str, value: object) -> None:
    reach.check(key, value, "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("public_url", "chat.example"),
        ("public_url", "ftp://chat.example"),
        ("public_url", "https://chat.example/headrace"),
        ("public_url", "https://chat.example/?a=1"),
        ("public_url", "https://chat.example/#a"),
        ("public_url", "https://user:word@chat.example"),
        ("public_url", "https://chat.example:x"),
        ("allowed_hosts", ("chat.example:80",)),
        ("allowed_hosts", ("https://chat.example",)),
        ("allowed_hosts", ("chat.example", "")),
        ("allowed_hosts", ("a b",)),
        ("allowed_hosts", ("*.example",)),
        ("allowed_hosts", ("[::1]",)),
        ("allowed_origins", ("*",)),
        ("allowed_origins", ("null",)),
        ("allowed_origins", ("tools.example",)),
        ("allowed_origins", ("https://tools.example/",)),
        ("allowed_origins", ("https://Tools.example",)),
        ("allowed_origins", ("https://tools.example:443",)),
        ("trusted_proxies", ("proxy.lan",)),
        ("trusted_proxies", ("10.0.0.1/8",)),
        ("trusted_proxies", ("*",)),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(key: str, value: object) -> None:
    with pytest.raises(SettingsError, match=r"^here: "):
        reach.check(key, value, "here")


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (Server(), "http://127.0.0.1:8000"),
        (Server(host="::1"), "http://[::1]:8000"),
        (Server(host="0.0.0.0"), "http://localhost:8000"),
        (Server(host="::"), "http://localhost:8000"),
        (Server(host=""), "http://localhost:8000"),
        (Server(host="box.lan", port=80), "http://box.lan:80"),
        (Server(host="0.0.0.0", public_url="https://chat.example/"), "https://chat.example"),
    ],
)
def test_people_are_told_an_address_that_can_be_opened(server: Server, url: str) -> None:
    assert reach.url_of(server) == url


def test_the_port_that_was_taken_counts() -> None:
    assert reach.url_of(Server(port=0), host="127.0.0.1", port=4711) == "http://127.0.0.1:4711"
