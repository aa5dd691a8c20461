"""This module examines the way from a client to the server: whether a proxy in front lets a stream through as it is.

It has a run played again, and compares when each event arrived with when it was due: what a proxy holds back comes late.
(Not a run that goes on: there a proxy that is slow to take the request, as one that checks a password with care, would
look like one that buffers.) The run is a short one that the provider `scripted` makes, in a chat that is removed again,
or one of the caller's own.
"""

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec

from headrace.app.doctor_findings import Finding, ok, problem, warning
from headrace.core.errors import ProviderError, SettingsError
from headrace.formats import native, sse
from headrace.net import https
from headrace.net.client import Client, proxy_for
from headrace.net.origin import parse
from headrace.net.port import Exchange

__all__ = ["Arrival", "Door", "check_url", "judge_arrivals", "judge_headers"]

_STREAM = "stream"
_URL = "url"
_ACCESS = "access"
_REPLY_BYTES = 1024 * 1024
_REPLY_S = 10.0
_LATE_S = 0.5  # more than any network adds to one event after another
_LONG_ENOUGH_S = 1.0
_SCRIPT = "tokens-r20-n40"  # two seconds
_REPLAY_S = 2.0
_MAX_SPEED = 100.0
_TOO_LONG_S = 30.0
_CLOCKS_S = 60.0
_REMEDY = (
    "nginx: proxy_buffering off; proxy_cache off; no gzip for text/event-stream; proxy_read_timeout 1h. "
    "Caddy: flush_interval -1 and no encode for event streams. deploy/ has both. A service in front of it (CDN, "
    "tunnel) must not buffer either."
)


class Arrival(msgspec.Struct, frozen=True):
    """When an event of a run came, and when it was due, both in seconds from any moment."""

    came_s: float
    due_s: float


class Door(Exception):
    """The examination ends here; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


async def check_url(url: str, authorization: str | None = None) -> list[Finding]:
    """Examine the server as clients reach it. `authorization` is sent as that header."""
    client = Client()
    findings: list[Finding] = []
    try:
        site = _Site(client, url.rstrip("/"), authorization)
        async for finding in _examine(site):
            findings.append(finding)  # noqa: PERF401 - what was found before an error counts
    except Door as end:
        findings.append(end.finding)
    except SettingsError as error:
        findings.append(problem(_URL, error.message, "Give the address that browsers use, as https://chat.example."))
    finally:
        await client.close()
    return findings


def judge_arrivals(arrivals: Sequence[Arrival]) -> Finding:
    """Say whether the events came when they happened."""
    span = max((each.due_s for each in arrivals), default=0.0) - min((each.due_s for each in arrivals), default=0.0)
    if span < _LONG_ENOUGH_S:
        return warning(_STREAM, "The run that was followed is too short to measure by.", _unmeasured_remedy())
    # the quickest one tells what the way takes by itself
    way = min(each.came_s - each.due_s for each in arrivals)
    late = max(each.came_s - each.due_s for each in arrivals) - way
    if late > _LATE_S:
        return problem(_STREAM, f"The stream is held back on its way: events come up to {late:.1f} s late.", _REMEDY)
    return ok(
        _STREAM, f"Events come as they happen: {len(arrivals)} over {span:.1f} s, at most {late * 1000:.0f} ms late."
    )


def judge_headers(headers: Mapping[str, str]) -> Finding:
    """Say whether what the server asks of proxies got through.

    X-Accel-Buffering may be missing: nginx obeys it and takes it out.
    """
    control = headers.get("cache-control", "")
    encoding = headers.get("content-encoding")
    if encoding is not None:
        return warning(_STREAM, f"A proxy compresses the event stream ({encoding}), which may hold it back.", _REMEDY)
    if "no-transform" not in control:
        return warning(
            _STREAM,
            f"A proxy changes Cache-Control of the event stream (now {control!r}): others may keep or change it.",
            "Let it pass Cache-Control as it is.",
        )
    return ok(_STREAM, "The stream's headers get through.")


async def _examine(site: "_Site") -> AsyncIterator[Finding]:
    health = await site.reached()
    yield health
    yield _judge_clocks(site.date)
    yield await _check_access(site)
    async with _measurable(site) as (run_id, speed):
        path = f"/api/v1/runs/{run_id}/events"
        headers, arrivals = await _follow(site, path, speed)
        compressed = await _check_compression(site, path)
    yield compressed or judge_headers(headers)
    yield judge_arrivals(arrivals)


class _Site:
    """The server, behind whatever is in front of it."""

    def __init__(self, client: Client, url: str, authorization: str | None) -> None:
        self.url = url
        self.host = parse(url).origin.host
        self.date: str | None = None
        self._client = client
        self._headers = {"Authorization": authorization} if authorization else {}

    async def reached(self) -> Finding:
        """Say who answers. Raises `Door` where it is no Headrace."""
        exchange, body = await self.call("GET", "/health", anonymous=False)
        self.date = exchange.headers.get("date")
        self.let_in(exchange, body)
        told = body if isinstance(body, dict) else {}
        if exchange.status != HTTPStatus.OK or told.get("status") != "ok":
            raise Door(
                problem(
                    _URL,
                    f"{self.url} answers {exchange.status}, and not as Headrace.",
                    "Let the proxy pass every path (/, /api, /health) to the server: deploy/ has examples.",
                )
            )
        version = f" {told['version']}" if "version" in told else ""  # it is told to those who say who they are
        return ok(_URL, f"Headrace{version} answers at {self.url}.")

    def let_in(self, exchange: Exchange, body: Any) -> None:
        """Raise `Door` where the reply asks who calls, or does not know the server by this name."""
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            error = body["error"]
            if error.get("code") == "host_not_allowed":
                remedy = f'Set `public_url = "{self.url}"` in [server], or add the name to `allowed_hosts`.'
                raise Door(problem(_URL, f"The server does not know itself as {self.host}.", remedy))
        if exchange.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise Door(
                warning(
                    _ACCESS,
                    f"{self.url} asks who you are, so the stream behind it could not be measured.",
                    "Say it: `headrace doctor --url URL --user NAME` asks for a proxy's password; HEADRACE_TOKEN is sent "
                    "as a bearer token (`headrace token create NAME` makes one).",
                )
            )

    async def call(self, method: str, path: str, body: Any = None, *, anonymous: bool = False) -> tuple[Exchange, Any]:
        """Return a reply and its JSON, None where it has none. Raises `Door` where there is none at all."""
        content = b"" if body is None else msgspec.json.encode(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(_REPLY_S):
                exchange = await self.open(method, path, content, kind, anonymous=anonymous)
                try:
                    data = await exchange.read(_REPLY_BYTES)
                finally:
                    exchange.close()
        except TimeoutError:
            raise Door(self._unreachable(f"no answer within {_REPLY_S:.0f} s")) from None
        except ProviderError as error:
            raise Door(self._unreachable(_reason(error))) from error
        try:
            return exchange, msgspec.json.decode(data)
        except msgspec.DecodeError:
            return exchange, None

    async def open(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        anonymous: bool = False,
    ) -> Exchange:
        """Send a request. Raises as the client does."""
        own = {} if anonymous else self._headers
        return await self._client.open(method, self.url + path, headers={**own, **(headers or {})}, body=body)

    async def ask_compressed(self, path: str) -> None:
        """Ask for a compressed reply, and let it go. Raises `upstream_garbled` where it comes so."""
        # the fast client says by itself that it wants none
        client = https.Client(proxy=proxy_for(parse(self.url).origin))
        try:
            headers = {**self._headers, "Accept-Encoding": "gzip"}
            (await client.open("GET", self.url + path, headers=headers)).close()
        finally:
            await client.close()

    def _unreachable(self, why: str) -> Finding:
        return problem(
            _URL,
            f"{self.url} cannot be reached: {why}.",
            "See that the proxy runs and passes on to the server's address (host and port in [server]).",
        )


def _judge_clocks(date: str | None) -> Finding:
    """Compare the clock of this machine with that of whoever answered."""
    try:
        apart = time.time() - parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return ok("clocks", "The server does not tell the time.")
    if abs(apart) > _CLOCKS_S:
        return warning(
            "clocks",
            f"The clocks of this machine and of the server are {abs(apart):.0f} s apart.",
            "Set the one that is wrong, and let it be kept right (`timedatectl set-ntp true`).",
        )
    return ok("clocks", "The server's clock is this machine's.")


async def _check_access(site: _Site) -> Finding:
    """Say who may read the conversations there."""
    if _is_loopback(site.host):
        return ok(_ACCESS, f"{site.url} is this machine only.")
    exchange, _ = await site.call("GET", "/api/v1/chats?limit=1", anonymous=True)
    if exchange.status == HTTPStatus.OK:
        return problem(
            _ACCESS,
            f"Whoever reaches {site.url} can read every conversation.",
            "Switch access control on (`access = true` in [server]), or let the proxy ask for a password (auth_basic in "
            "nginx, basic_auth in Caddy): deploy/ has examples.",
        )
    return ok(_ACCESS, f"{site.url} answers {exchange.status} to who does not say who he is.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextlib.asynccontextmanager
async def _measurable(site: _Site) -> AsyncIterator[tuple[str, float]]:
    """Yield a run that has ended, and at what speed to play it again. Raises `Door` where there is none."""
    exchange, listed = await site.call("GET", "/api/v1/providers")
    site.let_in(exchange, listed)
    scripted = next((each["name"] for each in listed["providers"] if each["kind"] == "scripted"), None)
    if scripted is None:
        yield await _past_run(site)
        return
    _, chat = await site.call("POST", "/api/v1/chats", {"title": "headrace doctor"})
    try:
        body = {"content": "headrace doctor", "model": f"{scripted}/{_SCRIPT}"}
        exchange, turn = await site.call("POST", f"/api/v1/chats/{chat['id']}/turns", body)
        if exchange.status != HTTPStatus.ACCEPTED:
            raise Door(
                warning(_STREAM, f"A run could not be started: the server answers {exchange.status}.", "See its log.")
            )
        await _follow(site, f"/api/v1/runs/{turn['run_id']}/events", 0.0)
        yield turn["run_id"], 1.0
    finally:
        with contextlib.suppress(Door):
            await site.call("DELETE", f"/api/v1/chats/{chat['id']}")


async def _past_run(site: _Site) -> tuple[str, float]:
    _, listed = await site.call("GET", "/api/v1/runs?status=complete&limit=50")
    for run in listed["runs"]:
        took_s = (run["ended_at"] - run["created_at"]) / 1000
        if _LONG_ENOUGH_S <= took_s <= _REPLAY_S * _MAX_SPEED:
            return run["id"], max(1.0, took_s / _REPLAY_S)
    raise Door(warning(_STREAM, "There is no run to measure the stream with.", _unmeasured_remedy()))


def _unmeasured_remedy() -> str:
    return (
        "Ask a model for an answer of some seconds and look again; or start the server with "
        "HEADRACE_PROVIDERS_DEMO_KIND=scripted."
    )


async def _check_compression(site: _Site, path: str) -> Finding | None:
    """Ask as browsers do, who take compressed replies; return the finding where one comes."""
    try:
        async with asyncio.timeout(_REPLY_S):
            await site.ask_compressed(path)
    except ProviderError as error:
        if "as gzip" in _reason(error):  # the client takes no compressed reply
            return judge_headers({"content-encoding": "gzip"})
        raise Door(_broken(error)) from error
    except TimeoutError:
        raise Door(problem(_STREAM, f"The stream did not begin within {_REPLY_S:.0f} s.", _REMEDY)) from None
    return None


async def _follow(site: _Site, path: str, speed: float) -> tuple[Mapping[str, str], list[Arrival]]:
    """Return the head of the stream's reply, and when its events came; with speed 0 as they are made."""
    clock = time.monotonic
    decoder = sse.Decoder()
    arrivals: list[Arrival] = []

    def take(data: bytes) -> None:
        now = clock()
        arrivals.extend(
            Arrival(now, native.time_of(frame.data) / 1000 / (speed or 1.0)) for frame in decoder.feed(data)
        )

    try:
        async with asyncio.timeout(_TOO_LONG_S):
            exchange = await site.open("GET", f"{path}?speed={speed:.3f}", headers={"Accept": "text/event-stream"})
            try:
                exchange.receive(take)
                await exchange.finished()
            finally:
                exchange.close()
    except ProviderError as error:
        raise Door(_broken(error)) from error
    except TimeoutError:
        raise Door(problem(_STREAM, f"The stream did not end within {_TOO_LONG_S:.0f} s.", _REMEDY)) from None
    return exchange.headers, arrivals


def _broken(error: ProviderError) -> Finding:
    return problem(_STREAM, f"The stream broke on its way: {_reason(error)}.", _REMEDY)


def _reason(error: ProviderError) -> str:
    """Return what went wrong; the message speaks of model servers."""
    return str(error.details.get("reason", error.message))
