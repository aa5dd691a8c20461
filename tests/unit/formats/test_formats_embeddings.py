"""Vectors, as OpenAI and Ollama speak of them."""

import base64
import json
import struct
from typing import Any

import pytest

from headrace.core.errors import BadField, NotAvailable, ProviderError
from headrace.core.vectors import Vectors
from headrace.formats.embeddings import (
    Asked,
    decode_ollama,
    decode_ollama_reply,
    decode_openai,
    decode_openai_reply,
    encode_ollama,
    encode_openai,
    ollama_body,
    openai_body,
)

TWO = Vectors(values=([1.0, -0.5], [0.25, 2.0]), input_tokens=7)


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def test_openais_request_is_read() -> None:
    assert decode_openai(body(input="a")) == Asked(model="m", texts=("a",))
    assert decode_openai(body(input=["a", "b"], dimensions=2, encoding_format="base64", user="ada")) == Asked(
        model="m", texts=("a", "b"), dimensions=2, as_base64=True
    )


def test_ollamas_request_is_read_and_its_own_fields_are_kept_apart() -> None:
    assert decode_ollama(body(input=["a"], dimensions=2, truncate=False, keep_alive="5m")) == Asked(
        model="m", texts=("a",), dimensions=2, more={"truncate": False, "keep_alive": "5m"}
    )


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(BadField) as raised:
        decode_openai(body(**fields))
    assert raised.value.field == path


@pytest.mark.parametrize("fields", [{"input": [1, 2]}, {"input": [[1]]}, {"input": "a", "api_base": "http://x"}])
def test_tokens_and_unknown_fields_are_refused_by_name(fields: dict[str, Any]) -> None:
    for decode in (decode_openai, decode_ollama):
        with pytest.raises(NotAvailable) as raised:
            decode(body(**fields))
        assert raised.value.field in fields


def test_openais_reply_has_numbers_or_what_its_clients_like_better() -> None:
    plain = json.loads(encode_openai(Asked(model="m", texts=("a", "b")), TWO, model="box/m"))
    packed = json.loads(encode_openai(Asked(model="m", texts=("a", "b"), as_base64=True), TWO, model="box/m"))

    assert plain == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, -0.5]},
            {"object": "embedding", "index": 1, "embedding": [0.25, 2.0]},
        ],
        "model": "box/m",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }
    assert [struct.unpack("<2f", base64.b64decode(each["embedding"])) for each in packed["data"]] == [
        (1.0, -0.5),
        (0.25, 2.0),
    ]


def test_ollamas_reply_leaves_out_what_nobody_counted() -> None:
    assert json.loads(encode_ollama(TWO, model="m", total_ns=5)) == {
        "model": "m",
        "embeddings": [[1.0, -0.5], [0.25, 2.0]],
        "total_duration": 5,
        "prompt_eval_count": 7,
    }
    assert "prompt_eval_count" not in json.loads(encode_ollama(Vectors(values=()), model="m", total_ns=5))


def test_the_order_of_openais_vectors_is_that_of_their_index() -> None:
    reply = json.dumps({"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]}).encode()
    assert decode_openai_reply(reply, 2) == Vectors(values=([1.0], [2.0]))


def test_ollamas_vectors_are_read_with_their_count() -> None:
    reply = b'{"embeddings":[[1,2]],"prompt_eval_count":3}'
    assert decode_ollama_reply(reply, 1) == Vectors(values=([1.0, 2.0],), input_tokens=3)


@pytest.mark.parametrize("reply", [b"", b"[]", b'{"data":[]}', b'{"data":[{"embedding":["x"]}]}', b'{"embeddings":[]}'])
def test_what_is_not_one_vector_for_each_text_is_garbled(reply: bytes) -> None:
    for decode in (decode_openai_reply, decode_ollama_reply):
        with pytest.raises(ProviderError) as raised:
            decode(reply, 1)
        assert raised.value.code == "upstream_garbled"


def test_servers_are_asked_for_numbers() -> None:
    assert json.loads(openai_body("m", ["a"], 2)) == {
        "model": "m",
        "input": ["a"],
        "dimensions": 2,
        "encoding_format": "float",
    }
    assert json.loads(ollama_body("m", ["a"], None, {"truncate": True})) == {
        "model": "m",
        "input": ["a"],
        "truncate": True,
    }
