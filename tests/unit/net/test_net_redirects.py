from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from fakes.certificates import make_certificate, server_context
from fakes.raw import Peer, RawServer, reply_once
from headrace.core.errors import ProviderError
from headrace.net.client import Client
from headrace.net.origin import Origin, parse
from headrace.net.redirects import MAX_REDIRECTS, Secret, follow

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def redirect(location: str, *more: str) -> bytes:
    lines = ["HTTP/1.1 302 Found", f"Location: {location}", "Content-Length: 0", *more, "", ""]
    return "\r\n".join(lines).encode()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    await client.close()


class Chain:
    """Answers request after request on any connection, and keeps the heads."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.heads: list[str] = []

    async def __call__(self, peer: Peer) -> None:
        head, _ = await peer.request()
        self.heads.append(head.decode())
        await peer.send(self.replies.pop(0))


async def fetched(client: Client, url: str, *, secret: Secret | None = None) -> tuple[Origin, bytes]:
    origin, exchange = await follow(client, url, headers=dict, secret=secret)
    try:
        return origin, await exchange.read(100)
    finally:
        exchange.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_kind_of_redirect_is_followed(client: Client, status: int) -> None:
    there = redirect("/other?x=%2F").replace(b"302", str(status).encode())
    chain = Chain(there, OK)
    async with RawServer(chain) as server:
        origin, body = await fetched(client, server.url)
        assert (origin, body) == (parse(server.url).origin, b"ok")
    assert chain.heads[1].startswith("GET /other?x=%2F HTTP/1.1\r\n")


async def test_a_reply_that_is_no_redirect_is_returned_as_it_is(client: Client) -> None:
    async with RawServer(reply_once(b"HTTP/1.1 304 Not Modified\r\n\r\n")) as server:
        _, exchange = await follow(client, server.url, headers=dict)
        exchange.close()
    assert exchange.status == 304


async def test_each_redirect_is_told_before_the_next_request_is_made(client: Client) -> None:
    told: list[str] = []

    def passed(_origin: Origin, headers: Mapping[str, str]) -> None:
        told.append(headers["x-n"])

    def headers() -> Mapping[str, str]:
        return {"X-Told": ",".join(told)}

    chain = Chain(redirect("/1", "X-N: a"), redirect("/2", "X-N: b"), OK)
    async with RawServer(chain) as server:
        _, exchange = await follow(client, server.url, headers=headers, passed=passed)
        exchange.close()
    assert [head.partition("X-Told: ")[2].partition("\r\n")[0] for head in chain.heads] == ["", "a", "a,b"]


async def test_a_secret_goes_to_its_own_server_only(client: Client) -> None:
    away, back = Chain(OK), Chain(redirect("/here"), b"")
    async with RawServer(away) as other, RawServer(back) as own:
        back.replies[1] = redirect(other.url)
        await fetched(client, own.url, secret=Secret(parse(own.url).origin, "s3cret"))
    assert ["Authorization: Bearer s3cret" in head for head in back.heads] == [True, True]
    assert "s3cret" not in away.heads[0]


async def test_a_circle_ends(client: Client) -> None:
    chain = Chain(*[redirect("/again")] * (MAX_REDIRECTS + 1))
    async with RawServer(chain) as server:
        with pytest.raises(ProviderError, match=f"more than {MAX_REDIRECTS} times"):
            await fetched(client, server.url)
    assert chain.replies == []


@pytest.mark.parametrize(
    "location",
    ["", "ftp://127.0.0.1/x", "http://user:pass@127.0.0.1/", "http://[", "/with space", "file:///etc/passwd"],
)
async def test_a_redirect_to_what_cannot_be_called_is_an_error_that_does_not_show_it(
    client: Client, location: str
) -> None:
    async with RawServer(reply_once(redirect(location))) as server:
        with pytest.raises(ProviderError, match="redirects") as caught:
            await fetched(client, server.url)
    assert caught.value.code == "upstream_garbled"
    assert "pass" not in str(caught.value)


async def test_https_is_never_left_for_http(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    plain = Chain(OK)
    tls = server_context(*certificate)
    async with RawServer(plain) as other, RawServer(reply_once(redirect(other.url)), tls=tls) as server:
        with pytest.raises(ProviderError, match="from https to http"):
            await fetched(client, server.url)
    assert plain.heads == []
