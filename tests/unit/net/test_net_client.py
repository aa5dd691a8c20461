import pytest

from fakes.raw import Peer, RawServer, reply_once
from headrace.core.errors import SettingsError
from headrace.net import http, https
from headrace.net.client import Client, proxy_for
from headrace.net.origin import Origin, parse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://box:8080/v1", {}, None),
        ("http://box:8080/v1", {"HTTP_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ("http://box:8080/v1", {"http_proxy": "proxy:3128"}, "http://proxy:3128"),
        ("http://box:8080/v1", {"HTTPS_PROXY": "http://proxy:3128"}, None),
        ("https://box/v1", {"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ("http://box:8080/v1", {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "other,box"}, None),
        ("http://box:8080/v1", {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, None),
        ("http://box:8080/v1", {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "box:9"}, "http://proxy:3128"),
        ("http://127.0.0.1:8080/v1", {"HTTP_PROXY": "http://proxy:3128"}, None),
        ("http://[::1]:8080/v1", {"HTTP_PROXY": "http://proxy:3128"}, None),
        ("http://localhost:8080/v1", {"HTTP_PROXY": "http://proxy:3128"}, None),
    ],
)
def test_the_environment_says_which_proxy(
    url: str, environ: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(parse(url).origin) == proxy


def test_a_proxy_of_another_kind_is_an_error_that_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://proxy:1080")
    with pytest.raises(SettingsError, match=r"box:80 .* not an HTTP proxy.*NO_PROXY"):
        proxy_for(Origin("http", "box", 80))


async def test_plain_http_takes_the_fast_client_and_the_rest_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    client = Client()
    chosen = [
        client._choose(parse(url).origin) for url in ("http://127.0.0.1:1/v1", "http://box/v1", "https://127.0.0.1/v1")
    ]
    await client.close()
    assert [type(each) for each in chosen] == [http.Client, https.Client, https.Client]


async def test_a_request_goes_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    async def serve(peer: Peer) -> None:
        heads.append((await peer.request())[0])
        await peer.send(OK)

    async with RawServer(serve) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        client = Client()
        exchange = await client.open("GET", "http://model.example/v1")
        assert await exchange.read(2) == b"ok"
        exchange.close()
        await client.close()
    assert heads[0].startswith(b"GET http://model.example/v1 HTTP/1.1\r\n")


async def test_a_request_goes_straight_to_a_server_without_one() -> None:
    async with RawServer(reply_once(OK)) as server:
        client = Client()
        exchange = await client.open("GET", server.url)
        assert await exchange.read(2) == b"ok"
        exchange.close()
        await client.close()
