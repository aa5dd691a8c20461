"""What Ollama says of its models."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from headrace.core.errors import ProviderError
from headrace.formats.ollama_models import (
    Embeddings,
    Listed,
    Loaded,
    Shown,
    canonical,
    decode_embed,
    decode_ps,
    decode_show,
    decode_tags,
    is_remote,
)

DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "qwen2",
    "families": ["qwen2"],
    "parameter_size": "7.6B",
    "quantization_level": "Q4_K_M",
}
TAG = {
    "name": "deepseek-r1:latest",
    "model": "deepseek-r1:latest",
    "modified_at": "2025-05-10T08:06:48.639712648-07:00",
    "size": 4_683_075_271,
    "digest": "0a8c2669",
    "details": DETAILS,
}


def tags(*models: dict[str, Any]) -> list[Listed]:
    return decode_tags(json.dumps({"models": models}).encode())


def test_tags_list_the_models_in_their_order() -> None:
    assert tags(TAG, TAG | {"name": "b:7b", "digest": None}) == [
        Listed(name="deepseek-r1:latest", digest="0a8c2669", remote=False, shown=None),
        Listed(name="b:7b", digest="", remote=False, shown=None),
    ]
    assert tags() == decode_tags(b'{"models":null}') == []


def test_newer_versions_tell_in_tags_what_others_tell_in_show() -> None:
    told = TAG | {"details": DETAILS | {"context_length": 32768}, "capabilities": ["completion", "tools"]}
    shown = Shown(32768, frozenset({"completion", "tools"}))
    assert tags(told)[0].shown == shown
    for part in ({"details": None}, {"details": DETAILS}, {"details": DETAILS | {"context_length": 0}}):
        assert tags(told | part)[0].shown is None
    assert tags(told | {"capabilities": None})[0].shown is None


@pytest.mark.parametrize("model", [TAG | {"remote_host": "https://ollama.com:443"}, TAG | {"name": "a:120b-cloud"}])
def test_a_model_elsewhere_is_told_from_one_that_is_here(model: dict[str, Any]) -> None:
    assert tags(model)[0].remote


@pytest.mark.parametrize(
    ("info", "length"),
    [
        ({"general.architecture": "llama", "llama.context_length": 8192, "llama.block_count": 32}, 8192),
        (
            {
                "clip.vision.context_length": 77,
                "gemma3.context_length": 131072,
                "general.architecture": "gemma3",
                "gemma3.vision.image_size": 896,
            },
            131072,
        ),
        ({"qwen2.context_length": 32768}, 32768),
        ({"general.architecture": "llama", "llama.context_length": "8192"}, None),
        ({"general.architecture": "llama", "llama.context_length": 0}, None),
        ({}, None),
        (None, None),
    ],
)
def test_show_tells_how_much_a_model_can_read(info: Any, length: int | None) -> None:
    body = json.dumps(
        {"model_info": info, "details": DETAILS, "license": "x", "capabilities": ["completion", "vision"]}
    )
    assert decode_show(body.encode()) == Shown(length, frozenset({"completion", "vision"}))


def test_what_show_does_not_tell_is_not_known() -> None:
    assert decode_show(b"{}") == Shown(None, None)


def test_ps_lists_what_is_loaded() -> None:
    loaded = [TAG | {"expires_at": "2024-06-04T14:38:31.83753-07:00", "size_vram": 5, "context_length": 4096}, TAG]
    assert decode_ps(json.dumps({"models": loaded}).encode()) == [
        Loaded("deepseek-r1:latest", 4096),
        Loaded("deepseek-r1:latest"),
    ]
    assert decode_ps(b'{"models":null}') == []


def test_embed_gives_a_vector_for_each_text() -> None:
    body = b'{"model":"all-minilm","embeddings":[[0.5,-1,2e-3],[0,1,2]],"total_duration":9,"prompt_eval_count":8}'
    assert decode_embed(body) == Embeddings([[0.5, -1.0, 0.002], [0.0, 1.0, 2.0]], 8)
    assert decode_embed(b'{"embeddings":[]}') == Embeddings([])


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (decode_tags, b"<html>"),
        (decode_tags, b"{}"),
        (decode_tags, b"[]"),
        (decode_tags, b'{"models":[{"model":"a"}]}'),
        (decode_tags, b'{"models":[{"name":"\xff"}]}'),
        (decode_tags, b'{"models":' + b"[" * 100_000),
        (decode_show, b'{"capabilities":"chat"}'),
        (decode_show, b""),
        (decode_ps, b'{"models":{"a":1}}'),
        (decode_embed, b'{"embeddings":[["a"]]}'),
        (decode_embed, b'{"embedding":[1]}'),
    ],
)
def test_what_is_no_such_reply_is_garbled_with_the_remedy(decode: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises(ProviderError, match=r"base_url.*11434") as raised:
        decode(body)
    assert raised.value.code == "upstream_garbled"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama3.2", "llama3.2:latest"),
        ("Llama3.2:Latest", "llama3.2:latest"),
        ("library/llama3.2", "llama3.2:latest"),
        ("registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"),
        ("user/model", "user/model:latest"),
        ("localhost:5000/user/model", "localhost:5000/user/model:latest"),
        ("hf.co/User/Model-GGUF:Q4_K_M", "hf.co/user/model-gguf:q4_k_m"),
    ],
)
def test_a_model_has_one_canonical_name(name: str, expected: str) -> None:
    assert canonical(name) == expected == canonical(expected)


@pytest.mark.parametrize(
    ("name", "remote"),
    [
        ("gpt-oss:cloud", True),
        ("gpt-oss:20b-cloud", True),
        ("gpt-oss:20b:cloud", True),
        ("user/gpt-oss:20b-cloud", True),
        ("gpt-oss:20b", False),
        ("my-cloud", False),
        ("cloud", False),
        ("foo:bar-cloud/baz", False),
    ],
)
def test_the_name_says_whether_a_model_is_in_the_cloud(name: str, remote: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert is_remote(name) is remote
