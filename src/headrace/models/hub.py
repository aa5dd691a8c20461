"""This module knows a model hub: what a name there means, and which of a repository's files it names.

A name is `owner/repo`, `owner/repo:QUANT` as in `:Q4_K_M`, or `owner/repo/path/to/file.gguf`. Source: the Hugging Face
Hub's API, `GET /api/models/REPO/revision/REVISION?blobs=true` and `GET /REPO/resolve/REVISION/PATH`.
"""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote, unquote, urlsplit

import msgspec

from headrace.core.errors import BadField, NotFound, ProviderError, SettingsError
from headrace.net.download import Source, failure, refusal
from headrace.net.origin import parse
from headrace.net.part import DownloadFailed
from headrace.net.port import Transport
from headrace.net.redirects import Secret, follow

__all__ = ["DEFAULT_ENDPOINT", "MAGIC", "Found", "Hub", "Name", "parse_name"]

DEFAULT_ENDPOINT = "https://huggingface.co"
MAGIC = b"GGUF"

_LISTING_LIMIT = 16 * 1024 * 1024
_ANSWER_S = 30.0
_MOST_SHOWN = 60  # files in an error
_MAX_NAME = 400

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9 ._+=@()-]*/){0,8}[A-Za-z0-9_][A-Za-z0-9 ._+=@()-]*\.gguf", re.IGNORECASE)
_QUANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf", re.IGNORECASE)
_PAGE = re.compile(r"/([^/]+/[^/]+)/(?:blob|resolve)/([^/]+)/(.+)")


class Name(msgspec.Struct, frozen=True):
    """What a model is called on the hub: a repository, and perhaps which of its files."""

    repo: str
    path: str | None = None
    quant: str | None = None


class Found(msgspec.Struct, frozen=True):
    """A file that can be downloaded, and the name that it has there."""

    source: Source
    file: str


class _Lfs(msgspec.Struct):
    sha256: str | None = None


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    lfs: _Lfs | None = None


class _Listing(msgspec.Struct):
    siblings: list[_Sibling]
    sha: str | None = None


def parse_name(text: str, *, file: str | None = None) -> Name:
    """Return the name in its parts; `file` names one of the repository's files. Raises `BadField`."""
    if len(text) > _MAX_NAME or "://" in text:
        raise _unnamed("A URL is not taken here." if "://" in text else "This is no name of a model.")
    repo, colon, quant = text.partition(":")
    owner, _, rest = repo.partition("/")
    name, _, path = rest.partition("/")
    if file is not None and (path or quant):
        raise _unnamed("The file is named twice.")
    path = file or path
    repo = f"{owner}/{name}"
    if not _REPO.fullmatch(repo) or (colon and not _QUANT.fullmatch(quant)) or (path and quant):
        raise _unnamed(f"{text!r} is no name of a model.")
    if path and not _PATH.fullmatch(path):
        raise _unnamed(f"{path!r} is no name of a GGUF file.")
    return Name(repo, path or None, quant or None)


class Hub:
    """One hub. `token` is shown to it and to no other server. Raises `SettingsError` where `endpoint` is no URL."""

    def __init__(self, transport: Transport, endpoint: str = DEFAULT_ENDPOINT, token: str | None = None) -> None:
        self._transport = transport
        self._endpoint = endpoint.rstrip("/")
        try:
            self._origin = parse(self._endpoint).origin
        except SettingsError as error:
            raise SettingsError(f"The model hub cannot be called: {error.message} See `hub` in [models].") from error
        self._secret = Secret(self._origin, token) if token else None

    async def find(self, name: Name) -> Found:
        """Return the one file that is meant.

        Raises `NotFound`; `BadField` with code `ambiguous` or `unknown_file`, and the repository's files as `choices`
        (each a `path` and a `size` in bytes) in its details; `DownloadFailed`.
        """
        try:
            listing = await self._list(name.repo)
        except NotFound:
            if name.path is None:
                raise
            # a mirror may have files without lists of them
            return self._found(name.repo, "main", name.path, None)
        chosen = _choose(name, [one for one in listing.siblings if _PATH.fullmatch(one.rfilename)])
        sha256 = chosen.lfs.sha256 if chosen.lfs is not None else None
        commit = listing.sha if listing.sha is not None and _COMMIT.fullmatch(listing.sha) else "main"
        return self._found(name.repo, commit, chosen.rfilename, sha256)

    async def at(self, url: str) -> Found:
        """Return the file at a URL; the hub's own page about a file stands for the file.

        Raises `SettingsError` for a URL that cannot be called, and what `find` raises.
        """
        split = urlsplit(url)
        if parse(url).origin == self._origin and (page := _PAGE.fullmatch(split.path)):
            repo, revision, path = map(unquote, page.groups())
            if _REPO.fullmatch(repo) and _PATH.fullmatch(path):
                named = Name(repo, path)
                return await self.find(named) if revision == "main" else self._found(repo, revision, path, None)
        file = unquote(split.path.rpartition("/")[2])
        return Found(Source(url=url, magic=MAGIC, hub=self._origin, secret=self._secret), file)

    def _found(self, repo: str, revision: str, path: str, sha256: str | None) -> Found:
        url = f"{self._endpoint}/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"
        known = sha256 if sha256 is not None and _SHA256.fullmatch(sha256) else None
        source = Source(url=url, sha256=known, magic=MAGIC, hub=self._origin, secret=self._secret)
        return Found(source, path.rpartition("/")[2])

    async def _list(self, repo: str) -> _Listing:
        url = f"{self._endpoint}/api/models/{repo}/revision/main?blobs=true"
        try:
            async with asyncio.timeout(_ANSWER_S):
                origin, exchange = await follow(self._transport, url, headers=dict, secret=self._secret)
                try:
                    if exchange.status != HTTPStatus.OK:
                        raise refusal(origin, exchange)
                    content = await exchange.read(_LISTING_LIMIT)
                finally:
                    exchange.close()
            return msgspec.json.decode(content, type=_Listing)
        except TimeoutError:
            message = f"{self._origin.address} did not answer within {_ANSWER_S:g} s."
            raise DownloadFailed(message, retryable=True) from None
        except ProviderError as error:
            raise failure(error) from error
        except msgspec.DecodeError as error:
            raise DownloadFailed(f"What {self._origin.address} says of {repo} is no list of files.") from error


def _choose(name: Name, files: Sequence[_Sibling]) -> _Sibling:
    if name.path is not None:
        fitting = [one for one in files if one.rfilename == name.path]
        if not fitting:
            raise _unclear(f"{name.repo} has no file {name.path}.", "unknown_file", files)
        return fitting[0]
    # what shows pictures to a model is no model
    models = [one for one in files if not one.rfilename.rpartition("/")[2].lower().startswith("mmproj")]
    fitting = models if name.quant is None else [one for one in models if _is_quant(one.rfilename, name.quant)]
    if not fitting:
        what = "no GGUF file" if name.quant is None else f"no GGUF file that is {name.quant}"
        raise _unclear(f"{name.repo} has {what}.", "unknown_file", models)
    if all(_SPLIT.search(one.rfilename) for one in fitting):
        raise _unclear(f"This model is split into {len(fitting)} files: pull each by its name.", "ambiguous", fitting)
    if len(fitting) > 1:
        raise _unclear(f"{name.repo} has {len(fitting)} files that fit.", "ambiguous", fitting)
    return fitting[0]


def _is_quant(path: str, quant: str) -> bool:
    # Q4_K is not Q4_K_M, and Q4_XS is not IQ4_XS
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(quant)}(?![A-Za-z0-9_])", path, re.IGNORECASE) is not None


def _unnamed(problem: str) -> BadField:
    ways = "owner/repo, owner/repo:QUANT or owner/repo/file.gguf"
    return BadField(f"{problem} A model on the hub is named as {ways}.", field="model")


def _unclear(problem: str, code: str, files: Sequence[_Sibling]) -> BadField:
    choices = [{"path": one.rfilename, "size": one.size} for one in files[:_MOST_SHOWN]]
    remedy = " Name one of its files, as owner/repo:QUANT or owner/repo/file.gguf." if choices else ""
    return BadField(f"{problem}{remedy}", field="model", code=code, choices=choices)
