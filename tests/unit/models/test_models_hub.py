import hashlib
from collections.abc import AsyncIterator

import pytest

from fakes.hub import COMMIT, FakeHub
from fakes.raw import RawServer, reply_once
from headrace.core.errors import BadField, NotFound, SettingsError
from headrace.models.hub import Found, Hub, Name, parse_name
from headrace.net.client import Client
from headrace.net.part import DownloadFailed

FILES = {
    "README.md": b"# A model",
    "gemma-Q4_K_M.gguf": b"GGUF q4km",
    "gemma-Q4_K.gguf": b"GGUF q4k",
    "gemma-IQ4_XS.gguf": b"GGUF iq4xs",
    "BF16/gemma-BF16.gguf": b"GGUF bf16",
    "mmproj-gemma-F16.gguf": b"GGUF mmproj",
    "../evil.gguf": b"GGUF evil",
    "Q8_0/gemma-Q8_0-00001-of-00002.gguf": b"GGUF 1",
    "Q8_0/gemma-Q8_0-00002-of-00002.gguf": b"GGUF 2",
}


@pytest.fixture
async def fake() -> AsyncIterator[FakeHub]:
    async with FakeHub() as fake:
        for path, data in FILES.items():
            fake.add("google/gemma-GGUF", path, data)
        fake.add("tiny/one", "one.gguf", b"GGUF one")
        fake.add("tiny/none", "model.safetensors", b"x")
        yield fake


async def find(fake: FakeHub, name: str, *, token: str | None = None) -> Found:
    client = Client()
    try:
        return await Hub(client, fake.url + "/", token).find(parse_name(name))
    finally:
        await client.close()


async def refused(fake: FakeHub, name: str) -> BadField:
    with pytest.raises(BadField) as caught:
        await find(fake, name)
    assert caught.value.field == "model"
    return caught.value


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("owner/repo", Name("owner/repo")),
        ("TheBloke/Llama-2-7B.v1_x", Name("TheBloke/Llama-2-7B.v1_x")),
        ("owner/repo:Q4_K_M", Name("owner/repo", quant="Q4_K_M")),
        ("owner/repo/a b.gguf", Name("owner/repo", path="a b.gguf")),
        ("owner/repo/deep/er/a.GGUF", Name("owner/repo", path="deep/er/a.GGUF")),
    ],
)
def test_a_name_is_taken_apart(text: str, name: Name) -> None:
    assert parse_name(text) == name


def test_a_file_may_be_named_beside_the_repository() -> None:
    assert parse_name("owner/repo", file="a.gguf") == Name("owner/repo", path="a.gguf")
    for twice in ("owner/repo:Q4_K_M", "owner/repo/b.gguf"):
        with pytest.raises(BadField, match="twice"):
            parse_name(twice, file="a.gguf")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gemma",
        "/repo",
        "owner/",
        "owner/repo:",
        "owner/repo:Q4/../x",
        "owner/repo/a.bin",
        "owner/repo/../../x.gguf",
        "owner/repo/.hidden/x.gguf",
        "owner/repo//x.gguf",
        "owner/repo/a\n.gguf",
        "owner/repo/a\0.gguf",
        "owner/repo/a%2e%2e.gguf",
        "owner/repo/x.gguf?y.gguf",
        "../repo",
        ".owner/repo",
        "owner/repo\n",
        "https://127.0.0.1/a.gguf",
        "file:///etc/passwd",
        "o/" + "r" * 500,
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_name(text)
    assert caught.value.field == "model"


async def test_the_only_file_of_a_repository_needs_no_name(fake: FakeHub) -> None:
    found = await find(fake, "tiny/one")
    assert found.file == "one.gguf"
    assert found.source.url == f"{fake.url}/tiny/one/resolve/{COMMIT}/one.gguf"
    assert found.source.sha256 == hashlib.sha256(b"GGUF one").hexdigest()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("google/gemma-GGUF:Q4_K_M", "gemma-Q4_K_M.gguf"),
        ("google/gemma-GGUF:q4_k_m", "gemma-Q4_K_M.gguf"),
        ("google/gemma-GGUF:Q4_K", "gemma-Q4_K.gguf"),
        ("google/gemma-GGUF:IQ4_XS", "gemma-IQ4_XS.gguf"),
        ("google/gemma-GGUF:BF16", "BF16/gemma-BF16.gguf"),
        ("google/gemma-GGUF/mmproj-gemma-F16.gguf", "mmproj-gemma-F16.gguf"),
        ("google/gemma-GGUF/Q8_0/gemma-Q8_0-00002-of-00002.gguf", "Q8_0/gemma-Q8_0-00002-of-00002.gguf"),
    ],
)
async def test_a_name_means_one_file(fake: FakeHub, name: str, path: str) -> None:
    found = await find(fake, name)
    assert found.source.url.endswith(f"/resolve/{COMMIT}/{path}")
    assert found.source.sha256 == hashlib.sha256(FILES[path]).hexdigest()
    assert found.file == path.rpartition("/")[2]


async def test_a_name_of_many_files_lists_them(fake: FakeHub) -> None:
    error = await refused(fake, "google/gemma-GGUF")
    assert error.code == "ambiguous"
    models = [path for path in FILES if path not in {"README.md", "../evil.gguf", "mmproj-gemma-F16.gguf"}]
    assert error.details["choices"] == [{"path": path, "size": len(FILES[path])} for path in models]


@pytest.mark.parametrize("name", ["google/gemma-GGUF:Q5_K_M", "google/gemma-GGUF:Q4_XS", "google/gemma-GGUF/no.gguf"])
async def test_a_file_that_is_not_there_lists_those_that_are(fake: FakeHub, name: str) -> None:
    error = await refused(fake, name)
    assert error.code == "unknown_file"
    assert "gemma-Q4_K_M.gguf" in [choice["path"] for choice in error.details["choices"]]


async def test_a_model_in_parts_is_refused_with_their_names(fake: FakeHub) -> None:
    error = await refused(fake, "google/gemma-GGUF:Q8_0")
    assert "split into 2 files" in error.message
    assert len(error.details["choices"]) == 2


async def test_a_repository_without_a_model_says_so(fake: FakeHub) -> None:
    error = await refused(fake, "tiny/none")
    assert error.message == "tiny/none has no GGUF file."


async def test_a_repository_that_is_not_there_is_not_found(fake: FakeHub) -> None:
    with pytest.raises(NotFound, match="Repository not found"):
        await find(fake, "tiny/nobody")


async def test_a_file_of_a_mirror_that_has_no_lists_is_taken_at_its_word(fake: FakeHub) -> None:
    found = await find(fake, "no/lists/a b.gguf")
    assert found.source.url == f"{fake.url}/no/lists/resolve/main/a%20b.gguf"
    assert found.source.sha256 is None


async def test_the_token_goes_to_the_hub(fake: FakeHub) -> None:
    fake.token = "hf_x"
    assert (await find(fake, "tiny/one", token="hf_x")).file == "one.gguf"
    with pytest.raises(DownloadFailed, match="HF_TOKEN") as caught:
        await find(fake, "tiny/one", token="wrong")
    assert "wrong" not in caught.value.message


@pytest.mark.parametrize("reply", [b"<html>", b"{}", b'{"siblings": [{"rfilename": 1}]}'])
async def test_a_list_that_is_none_is_an_error(reply: bytes) -> None:
    client = Client()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply)
    async with RawServer(reply_once(head + reply)) as server:
        with pytest.raises(DownloadFailed, match="no list of files"):
            await Hub(client, server.url).find(Name("o/r"))
    await client.close()


async def test_a_hub_that_is_not_there_is_an_error() -> None:
    client = Client()
    async with RawServer(reply_once()) as server:
        pass
    with pytest.raises(DownloadFailed, match="nothing listens there") as caught:
        await Hub(client, server.url).find(Name("o/r"))
    assert caught.value.code == "unreachable"
    await client.close()


async def test_the_hubs_page_about_a_file_stands_for_the_file(fake: FakeHub) -> None:
    client = Client()
    hub = Hub(client, fake.url)
    for kind in ("blob", "resolve"):
        found = await hub.at(f"{fake.url}/tiny/one/{kind}/v1.0/deep/o%20ne.gguf?download=true")
        assert found.source.url == f"{fake.url}/tiny/one/resolve/v1.0/deep/o%20ne.gguf"
        assert found.file == "o ne.gguf"
        found = await hub.at(f"{fake.url}/tiny/one/{kind}/main/one.gguf")
        assert found.source.sha256 == hashlib.sha256(b"GGUF one").hexdigest()
    await client.close()


async def test_any_other_url_is_taken_as_it_is(fake: FakeHub) -> None:
    found = await Hub(Client(), fake.url).at(f"{fake.store_url}/tiny/one/blob/main/a%2Fb.gguf?sig=1")
    assert found.source.url == f"{fake.store_url}/tiny/one/blob/main/a%2Fb.gguf?sig=1"
    assert found.file == "a/b.gguf"  # which the folder refuses


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a.gguf", "http://u:p@127.0.0.1/a.gguf", "http:///a.gguf"])
async def test_a_url_that_cannot_be_called_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        await Hub(Client()).at(url)


def test_a_hub_whose_address_is_none_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(SettingsError, match=r"`hub` in \[models\]"):
        Hub(Client(), "huggingface.co")
