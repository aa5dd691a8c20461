"""What only aiohttp's client does: TLS, and proxies."""

import asyncio
import ssl
from pathlib import Path

import pytest

from fakes.certificates import make_certificate, server_context
from fakes.raw import Peer, RawServer, reply_once
from headrace.core.errors import ProviderError
from headrace.net import https

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return server_context(*certificate)


async def body_of(client: https.Client, url: str) -> bytes:
    exchange = await client.open("GET", url)
    try:
        return await exchange.read(100)
    finally:
        exchange.close()


async def test_a_server_with_a_known_certificate_is_asked_over_tls(
    tls: ssl.SSLContext, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    client = https.Client()
    async with RawServer(reply_once(OK), tls=tls) as server:
        assert await body_of(client, server.url) == b"ok"
        await client.close()


async def test_a_server_with_an_unknown_certificate_is_refused(tls: ssl.SSLContext) -> None:
    client = https.Client()
    async with RawServer(reply_once(OK), tls=tls) as server:
        with pytest.raises(ProviderError, match=rf"127\.0\.0\.1:{server.port}: its certificate is not valid") as caught:
            await client.open("GET", server.url)
        await client.close()
    assert caught.value.code == "upstream_refused"


async def test_closing_an_exchange_over_tls_does_not_wait_for_the_servers_farewell(
    tls: ssl.SSLContext, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await peer.gone()

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    client = https.Client()
    async with RawServer(serve, tls=tls) as server:
        exchange = await client.open("GET", server.url)
        exchange.close()
        async with asyncio.timeout(1):
            await server.until(lambda: server.left == 1)
        await client.close()


async def test_a_proxy_is_asked_for_the_whole_url() -> None:
    heads: list[bytes] = []

    async def serve(peer: Peer) -> None:
        heads.append((await peer.request())[0])
        await peer.send(OK)

    async with RawServer(serve) as proxy:
        client = https.Client(proxy=f"http://127.0.0.1:{proxy.port}")
        assert await body_of(client, "http://model.example:9100/v1/models") == b"ok"
        await client.close()
    assert heads[0].startswith(b"GET http://model.example:9100/v1/models HTTP/1.1\r\n")
    assert b"\r\nHost: model.example:9100\r\n" in heads[0]


async def test_a_proxy_that_refuses_is_named_as_the_cause() -> None:
    async with RawServer(reply_once(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as proxy:
        client = https.Client(proxy=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ProviderError, match=r"model\.example:443: the proxy failed") as caught:
            await client.open("GET", "https://model.example/v1/models")
        await client.close()
    assert caught.value.code == "upstream_refused"


async def test_a_proxy_that_is_not_there_is_named_as_the_cause(unused_tcp_port: int) -> None:
    client = https.Client(proxy=f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(ProviderError, match="the proxy failed"):
        await client.open("GET", "http://model.example/v1/models")
    await client.close()
