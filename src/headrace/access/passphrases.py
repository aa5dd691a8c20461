"""This module hashes and checks passphrases, beside the loop and few at once."""

import asyncio
import base64
import dataclasses
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2
from argon2 import profiles
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from headrace.core.errors import Overloaded, ServerError

__all__ = ["PARAMETERS", "Passphrases"]

PARAMETERS = dataclasses.replace(profiles.RFC_9106_LOW_MEMORY, parallelism=1)
"""What a hash costs: 64 MiB and about 0.15 s of one core. One lane, so that a sign-in leaves the streams their cores."""

_THREADS = 2  # 128 MiB at most
_MOST_AT_ONCE = 64  # the last one is answered after about 5 s; who waits longer has gone

T = TypeVar("T")


class Passphrases:
    """Argon2id (RFC 9106) over passphrases, in two threads of its own: the disk's are never kept waiting.

    The threads end with the object. The same characters are the same passphrase whichever way a keyboard composes
    them (NFKC, as NIST SP 800-63B asks for).
    """

    def __init__(self, parameters: argon2.Parameters = PARAMETERS) -> None:
        """Take what new hashes cost; stored ones keep what they were made with."""
        self._hasher = argon2.PasswordHasher.from_parameters(parameters)
        self._nobody = _hash_of_nothing(parameters)
        # An executor rather than a semaphore: a caller that goes away does not end the work, and must not make room.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passphrase")
        self._at_once = 0

    async def hash(self, passphrase: str) -> str:
        """Return the encoded hash of a passphrase, with its parameters and a new salt: about 100 ASCII characters.

        Raises `Overloaded` where 64 others wait, and `ServerError` where there is no memory for it.
        """

        def work() -> str:
            return self._hasher.hash(_bytes_of(passphrase))

        try:
            return await self._beside(work)
        except Argon2Error as error:
            raise ServerError(
                f"The passphrase could not be hashed: {error}. Try again with more memory free."
            ) from error

    async def verify(self, passphrase: str, hashed: str | None) -> bool:
        """Return whether this is the passphrase that was hashed.

        None, where there is no such user or no passphrase, is never right and takes as long as a wrong one. Raises
        `Overloaded` where 64 others wait, and `ServerError` where the hash is damaged or there is no memory for it.
        """

        def work() -> bool:
            try:
                self._hasher.verify((self._nobody if hashed is None else hashed).encode(), _bytes_of(passphrase))
            except VerifyMismatchError:
                return False
            return hashed is not None

        try:
            return await self._beside(work)
        except (Argon2Error, InvalidHashError) as error:
            raise ServerError(
                f"The passphrase could not be checked: {error}. Try again with more memory free, or set a new one."
            ) from error

    async def _beside(self, work: Callable[[], T]) -> T:
        if self._at_once >= _MOST_AT_ONCE:
            raise Overloaded("Too many are signing in at this moment. Try again in a few seconds.")
        self._at_once += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._at_once -= 1


def _bytes_of(passphrase: str) -> bytes:
    return unicodedata.normalize("NFKC", passphrase).encode(errors="surrogatepass")


def _hash_of_nothing(parameters: argon2.Parameters) -> str:
    """Return a hash that costs as much to check as a real one. It is written down, not computed: nothing has it."""
    cost = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    salt, digest = (
        base64.b64encode(bytes(length)).decode().rstrip("=") for length in (parameters.salt_len, parameters.hash_len)
    )
    return f"$argon2id$v={parameters.version}${cost}${salt}${digest}"
