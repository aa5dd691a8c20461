"""This module counts what each user, and all together, take, and refuses what is more than the settings allow.

Everything is counted in memory and on the loop, in plain calls: between a check and its count nobody else comes in.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import msgspec
from limits import RateLimitItemPerMinute
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter
from msgspec import Meta

from headrace.core.clock import Clock
from headrace.core.errors import TooManyRequests

__all__ = ["LimitSettings", "Limits", "Slot", "Windows"]

_DAY_MS = 86_400_000
_MOST_KEYS = 100_000
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Tokens = Annotated[int, Meta(ge=1, le=10**15)]

# What a refusal says; {most} is the value of the setting, {wait} the seconds to wait.
_WORDS: Mapping[str, str] = {
    "requests_per_minute": "{who} may make {most} requests a minute. Wait {wait} s",
    "streams": "{who} may have {most} answers and streams at once. Stop one, or wait until one ends",
    "tokens_per_day": "{who} may use {most} tokens a day. Wait until midnight UTC, in {wait} s",
}
_ALL = "_all"  # ends the name of the setting that counts all users together


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much each user, and all together, may take; more is answered 429. What is not set has no limit."""

    requests_per_minute: _Count | None = None
    """Requests of one user in any minute."""

    requests_per_minute_all: _Count | None = None
    """Requests of all users in any minute."""

    streams: _Count | None = None
    """Answers of one user that are made, and streams of theirs that are read, at once."""

    streams_all: _Count | None = None
    """The same of all users."""

    tokens_per_day: _Tokens | None = None
    """Tokens of one user from midnight to midnight UTC, read and made; an answer that has begun is not cut."""

    tokens_per_day_all: _Tokens | None = None
    """The same of all users."""


class Slot:
    """Room for one stream; made by `Limits.slot`."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def free(self) -> None:
        """Give the room back at once; calling it again does nothing."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


class Limits:
    """What users have taken, against the settings. Each refusal is a `TooManyRequests`.

    Its `retry_after_s`, at least 1, is in how many whole seconds the same would be let in if nothing else came; its
    `details` have `limit`, the name of the setting. What is refused is not counted.
    """

    def __init__(self, settings: LimitSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._rates = MovingWindowRateLimiter(Windows(clock))
        self._rate = _per_minute(settings.requests_per_minute, "user")
        self._rate_all = _per_minute(settings.requests_per_minute_all, "all")
        self._streams: Counter[int | None] = Counter()  # by user, None: of all; so are the tokens
        self._tokens: Counter[int | None] = Counter()
        self._day = 0

    def request(self, user_id: int) -> None:
        """Count one request of a user. Raises `TooManyRequests` where the last 60 s hold as many as are allowed."""
        if self._rate_all is not None and not self._rates.test(self._rate_all):
            raise self._request_refused(user_id)  # before the user's own limit counts it: what is refused is free
        if self._rate is not None and not self._rates.hit(self._rate, str(user_id)):
            raise self._request_refused(user_id)
        if self._rate_all is not None:
            self._rates.hit(self._rate_all)

    def slot(self, user_id: int) -> Slot:
        """Return a slot for one stream of a user, theirs until it is freed. Raises `TooManyRequests`, always for 1 s."""
        if self._settings.streams is not None or self._settings.streams_all is not None:
            self._check("streams", self._streams, user_id, wait_s=1)
        self._count(user_id, 1)
        return Slot(partial(self._count, user_id, -1))

    def in_use(self, user_id: int | None = None) -> int:
        """Return how many slots a user holds, None: all users together."""
        return self._streams[user_id]

    def restore(self, day: int, tokens: Mapping[int, int]) -> None:
        """Put what users have used on a day in place of what was counted; a day that is not today's counts nothing.

        `day` is in days since the Unix epoch (UTC), `now_ms // 86_400_000`; `tokens` are by user id.
        """
        if day == self._today():
            self._tokens = Counter({None: sum(tokens.values())})
            self._tokens.update(tokens)

    def check_tokens(self, user_id: int) -> None:
        """Raise `TooManyRequests`, until midnight UTC, where today's tokens are used up. Nothing is counted."""
        if self._settings.tokens_per_day is None and self._settings.tokens_per_day_all is None:
            return
        now_ms = self._clock.now_ms()
        left_ms = (self._today(now_ms) + 1) * _DAY_MS - now_ms
        self._check("tokens_per_day", self._tokens, user_id, wait_s=max(1, math.ceil(left_ms / 1000)))

    def spent(self, user_id: int, tokens: int) -> None:
        """Count tokens, at least 0, that a user has used: today's, whenever their making began. Never refused."""
        self._today()
        self._tokens[user_id] += tokens
        self._tokens[None] += tokens

    def _count(self, user_id: int, more: int) -> None:
        streams = self._streams  # not by `update`, which costs ten times as much
        streams[user_id] += more
        streams[None] += more

    def _today(self, now_ms: int | None = None) -> int:
        """Return the day, in days since the Unix epoch; what was counted on another one is forgotten."""
        day = (self._clock.now_ms() if now_ms is None else now_ms) // _DAY_MS
        if day != self._day:
            self._day = day
            self._tokens.clear()
        return day

    def _check(self, setting: str, taken: Counter[int | None], user_id: int, *, wait_s: int) -> None:
        for name, who in ((setting, user_id), (setting + _ALL, None)):
            most = getattr(self._settings, name)
            if most is not None and taken[who] >= most:
                raise self._refused(name, wait_s)

    def _request_refused(self, user_id: int) -> TooManyRequests:
        """Return the refusal by the limit that holds longest: the other one may be reached as well."""
        wait, wait_all = self._wait_s(self._rate, str(user_id)), self._wait_s(self._rate_all)
        name = "requests_per_minute" if wait >= wait_all else "requests_per_minute_all"
        return self._refused(name, max(1, wait, wait_all))

    def _wait_s(self, rate: RateLimitItemPerMinute | None, *who: str) -> int:
        """Return the whole seconds until a limit lets in again, 0 where it does, -1 where there is none."""
        if rate is None:
            return -1
        stats = self._rates.get_window_stats(rate, *who)
        left = stats.reset_time - self._clock.monotonic()
        return 0 if stats.remaining else math.ceil(round(left, 6))  # floats may make 60.000000000001 of 60

    def _refused(self, setting: str, wait_s: int) -> TooManyRequests:
        who = "All users together" if setting.endswith(_ALL) else "You"
        said = _WORDS[setting.removesuffix(_ALL)].format(who=who, most=getattr(self._settings, setting), wait=wait_s)
        return TooManyRequests(f"{said}, or have `[limits] {setting}` raised.", retry_after_s=wait_s, limit=setting)


class Windows(Storage, MovingWindowSupport):
    """Where the library's moving windows keep their times, by our clock.

    Its own memory goes by the wall clock, which jumps, and starts a thread at nearly every request, for 0.1 to 4 ms.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """See `MovingWindowSupport`."""
        times = self._within(key, expiry)
        if len(times) + amount > limit:
            return False
        times.extend([self._clock.monotonic()] * amount)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 - the library's
        """See `MovingWindowSupport`."""
        times = self._within(key, expiry)
        return (times[0] if times else self._clock.monotonic()), len(times)

    def _within(self, key: str, expiry: int) -> deque[float]:
        if len(self._times) > _MOST_KEYS:  # callers choose some of them
            self._times.clear()
        times = self._times.setdefault(key, deque())
        now = self._clock.monotonic()
        while times and times[0] + expiry <= now:
            times.popleft()
        return times

    def _unused(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    # What the library wants of a storage for windows that do not move.
    incr = get = get_expiry = check = reset = clear = _unused
    base_exceptions = ValueError


def _per_minute(most: int | None, whose: str) -> RateLimitItemPerMinute | None:
    return None if most is None else RateLimitItemPerMinute(most, namespace=whose)
