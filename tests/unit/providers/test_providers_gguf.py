import struct
from pathlib import Path
from typing import Any

import pytest

from fakes.gguf import MODEL, gguf
from fakes.models import CONTEXT
from headrace.providers.builtin import model_file
from headrace.providers.gguf import Gguf, read


def said_by(tmp_path: Path, data: bytes) -> Gguf:
    path = tmp_path / "a.gguf"
    path.write_bytes(data)
    return read(path)


def test_a_real_model_says_how_much_it_can_read() -> None:
    assert read(model_file()) == Gguf(context_length=CONTEXT)


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_of_the_format_are_read(tmp_path: Path, version: int) -> None:
    assert said_by(tmp_path, gguf(version=version)) == Gguf(context_length=2048)


@pytest.mark.parametrize(
    "before",
    [
        {"general.name": "Ada"},
        {"general.tags": ["chat", "small"]},
        {"llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.scaled": True},
        {"llama.attention.head_count_kv": [8, 8, 4]},
    ],
)
def test_what_stands_before_it_is_passed_over(tmp_path: Path, before: dict[str, Any]) -> None:
    assert said_by(tmp_path, gguf({**before, **MODEL})) == Gguf(context_length=2048)


def test_the_vocabulary_is_not_read(tmp_path: Path) -> None:
    data = gguf({**MODEL, "tokenizer.ggml.tokens": ["a", "b"], "llama.pooling_type": 1})
    assert said_by(tmp_path, data) == Gguf(context_length=2048)


@pytest.mark.parametrize("length", [{}, {"llama.context_length": 0}, {"llama.context_length": "long"}])
def test_a_length_that_is_not_told_is_not_known(tmp_path: Path, length: dict[str, Any]) -> None:
    assert said_by(tmp_path, gguf({"general.architecture": "llama", **length})) == Gguf()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"general.architecture": "clip"}, "it is a part for other models, and no model itself"),
        ({**MODEL, "general.type": "adapter"}, "it is a part for other models, and no model itself"),
        ({**MODEL, "llama.pooling_type": 1}, "it makes vectors of texts, and no answers"),
        ({"general.name": "Ada"}, "it does not name its architecture"),
    ],
)
def test_what_cannot_chat_is_unfit(tmp_path: Path, said: dict[str, Any], why: str) -> None:
    assert said_by(tmp_path, gguf(said)).unfit == why


def test_a_model_that_says_it_is_one_is_fit(tmp_path: Path) -> None:
    assert said_by(tmp_path, gguf({**MODEL, "general.type": "model", "llama.pooling_type": 0})).unfit is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is no GGUF file"),
        (b"\x7fELF and more", "it is no GGUF file"),
        (b"GGUF\x03\x00", "it is cut off"),
        (gguf(version=1), "it is a GGUF file of a version that llama.cpp does not read"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "it is a GGUF file of a version that llama.cpp does not read"),
    ],
)
def test_what_is_no_such_file_is_unfit(tmp_path: Path, data: bytes, why: str) -> None:
    assert said_by(tmp_path, data).unfit == why


def test_a_file_that_ends_anywhere_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    data = gguf({"general.tags": ["a", "b"], "llama.sizes": [1, 2], **MODEL})
    results = [said_by(tmp_path, data[:end]) for end in range(len(data))]
    assert {result.context_length for result in results} == {None}
    assert {result.unfit for result in results} == {
        "it is no GGUF file",
        "it is cut off",
        "it does not name its architecture",
        None,  # its name was there, its length was not
    }


@pytest.mark.parametrize(
    "value",
    [
        struct.pack("<I", 99),
        struct.pack("<IIQ", 9, 9, 1) + b"\x00" * 64,
        struct.pack("<IIQ", 9, 99, 1) + b"\x00" * 64,
        struct.pack("<IIQ", 9, 4, 2**63),
        struct.pack("<IIQ", 9, 8, 2**63),
        struct.pack("<IQ", 8, 2**63),
        struct.pack("<IQ", 8, 1) + b"\xff",
    ],
    ids=["unknown", "nested", "of unknown", "too many numbers", "too many strings", "too long", "not UTF-8"],
)
def test_a_value_that_makes_no_sense_ends_the_reading(tmp_path: Path, value: bytes) -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63)
    architecture = gguf({"general.architecture": "llama"})[len(head) :]
    key = struct.pack("<Q", 1) + b"k"
    after = gguf({"llama.context_length": 7})[len(head) :]
    assert said_by(tmp_path, head + architecture + key + value + after) == Gguf()


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "a.gguf")
