"""This module checks a GGUF file against what was trained: llama.cpp must split texts, and answer, as the trainer does.

    python -m tools.tiny_model.check --gguf ... --tokenizer ... --weights ... --python .venv/bin/python

`--python` names the Python that has xllamacpp: the product's own.
"""

import argparse
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from torch.nn import functional

from .hard_texts import hard_texts
from .model import Shape, Weights, greedy, hidden, rotations
from .tokenizer import END, START

_ENGINE = """
import sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.offline = True
parameters.hostnames = ["127.0.0.1"]
parameters.port = 0
parameters.ui = False
parameters.cpuparams.n_threads = 1
parameters.n_parallel = 1
parameters.n_ctx = 1024
parameters.verbosity = 1
server = xllamacpp.Server(parameters)
print("LISTENING", server.listening_address, flush=True)
sys.stdin.read()
"""

_PROMPTS = ("Hello", "Tell me a short story", "Count from 95 to 105", "Who are you?", "What is entropy?", "Bonjour", "Wie geht es dir?",
            "how do I use Ollama?", "Me llamo Zorino", "Which month comes after May?")  # fmt: skip
_TEXTS = 1000
_LIMIT = 160  # tokens of an answer are compared
_NEAR_TIE = 0.5  # llama.cpp rounds what goes into a product, too: so near to each other two tokens may change places


class Engine:
    """llama.cpp's server in a process of its own."""

    def __init__(self, python: Path, gguf: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), "-c", _ENGINE, str(gguf)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for line in self._process.stdout or ():
            if line.startswith("LISTENING "):
                self._url = line.split()[1]
                return
        raise SystemExit("llama.cpp does not load the file")

    def ask(self, path: str, **body: Any) -> Any:
        """Return the JSON that answers a request."""
        request = urllib.request.Request(  # noqa: S310 - of our own child
            self._url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
            return json.load(response)

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def split_alike(engine: Engine, tokenizer: Tokenizer) -> int:
    """Return how many of the hard texts llama.cpp splits differently or loses something of; print the first ones."""
    wrong = 0
    for text in hard_texts(_TEXTS, seed=1):
        ours = tokenizer.encode(text).ids
        theirs = engine.ask("/tokenize", content=text, add_special=False, parse_special=False)["tokens"]
        if ours != theirs or tokenizer.decode(ours) != text:
            wrong += 1
            if wrong <= 3:
                print(f"split differently: {text!r}\n  {ours}\n  {theirs}")
    return wrong


def answer_alike(engine: Engine, tokenizer: Tokenizer, weights: Weights, shape: Shape) -> int:
    """Return how many prompts llama.cpp answers differently, where it is not a near tie; print each comparison."""
    wrong = 0
    for prompt in _PROMPTS:
        messages = [{"role": "user", "content": prompt}]
        ours = f"{START}user\n{prompt}{END}\n{START}assistant\n"
        if engine.ask("/apply-template", messages=messages)["prompt"] != ours:
            print(f"the template gives another prompt for {prompt!r}")
            wrong += 1
            continue
        ids = tokenizer.encode(ours).ids
        said = greedy(weights, shape, ids, end=tokenizer.token_to_id(END), limit=_LIMIT)
        reply = engine.ask("/completion", prompt=ours, n_predict=_LIMIT, temperature=0, return_tokens=True)
        heard = [token for token in reply["tokens"] if token != tokenizer.token_to_id(END)]
        gap = _gap(weights, shape, ids, said, heard)
        wrong += gap >= _NEAR_TIE
        verdict = "equal" if said == heard else f"apart after {_common(said, heard)} tokens by {gap:.2f}"
        print(f"{prompt!r}: {verdict}: {tokenizer.decode(heard)[:90]!r}")
    return wrong


def _common(one: list[int], other: list[int]) -> int:
    return next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )


def _gap(weights: Weights, shape: Shape, prompt: list[int], said: list[int], heard: list[int]) -> float:
    """Return by how much the trainer prefers its own token where the two answers part."""
    if said == heard:
        return 0.0
    at = _common(said, heard)
    if at == min(len(said), len(heard)):
        return float("inf")  # one of them ended there
    with torch.no_grad():
        last = hidden(weights, shape, torch.tensor([prompt + said[:at]]), rotations(shape))[0, -1]
        logits = functional.linear(last, weights["token_embd.weight"])
    return float(logits[said[at]] - logits[heard[at]])


def _rounded(path: Path) -> Weights:
    """Return the weights as the GGUF file has them."""
    kind = GGMLQuantizationType.Q8_0
    return {
        name: torch.from_numpy(
            values if values.ndim == 1 else dequantize(quantize(values.astype(np.float32), kind), kind)
        )
        for name, values in load_file(path).items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the GGUF file against the training.")
    for name in ("gguf", "tokenizer", "weights", "python"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    shape = Shape(vocabulary=tokenizer.get_vocab_size())
    engine = Engine(arguments.python, arguments.gguf)
    try:
        texts = split_alike(engine, tokenizer)
        answers = answer_alike(engine, tokenizer, _rounded(arguments.weights), shape)
    finally:
        engine.end()
    print(f"{texts} of {_TEXTS} texts split differently, {answers} of {len(_PROMPTS)} answers differ")
    return 1 if texts or answers else 0


if __name__ == "__main__":
    sys.exit(main())
