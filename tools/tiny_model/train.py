"""This module trains the model on generated conversations, the same way for the same seed.

    python -m tools.tiny_model.train --tokenizer build/tiny-model/tokenizer.json --out build/tiny-model/model.safetensors

Each step takes some conversations and computes them in parts of similar length: little is padded, and no conversation
sees another one. Only what the model has to say counts: the answers and their ends.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch.nn import functional

from .conversations import conversations
from .model import Shape, Weights, hidden, initial, is_matrix, rotations
from .tokenizer import END, SPECIAL, encoded

__all__ = ["PHASES", "Example", "Phase", "examples", "main", "train"]


class Phase(NamedTuple):
    """A part of the training: so many steps of `batch` conversations and of `exercises` in copying, drawn by `seed`.

    An exercise is one of `_EXERCISES`. What a step takes is computed in `parts`. `cool` is the share of the steps in
    which the rate goes down to zero. The phase is over as soon as ten steps have a loss below `enough`. `edges` is the
    least that an answer's first two and last three tokens count. With a `peak` the phase begins with a new state of the
    optimizers, goes to this share of their usual rates, and takes the conversations in the shares for the end.
    """

    steps: int
    batch: int
    exercises: int
    exercise: str
    parts: int
    cool: float
    enough: float
    seed: int
    edges: float = 0.0
    peak: float | None = None


PHASES = (
    Phase(steps=400, batch=0, exercises=32, exercise="word", parts=1, cool=0.0, enough=2.5, seed=3),
    Phase(steps=1500, batch=0, exercises=32, exercise="runs", parts=1, cool=0.0, enough=0.75, seed=3),
    Phase(steps=2400, batch=32, exercises=2, exercise="runs", parts=6, cool=0.6, enough=0.0, seed=1),
    Phase(
        steps=400, batch=32, exercises=1, exercise="runs", parts=6, cool=0.9, enough=0.0, seed=7, edges=0.5, peak=0.3,
    ),
)  # fmt: skip
"""First to say tokens again, then to find what stood after the same one before, and then to talk. Without the first two
the third one learns all wordings, and takes no name, hero or number from a question: in 5,000 steps it did not. The first
one has to stop early: a model that is good at a word at a fixed distance does not come to look for what stood before.
The last one is for the few tokens on which all depends: those that begin an answer, and the one at which a count stops."""

_PEAK_MATRIX = 0.02
_PEAK_OTHER = 0.002
_WARM_UP = 40
_TEN = 10
_IGNORED = -100
_LETTERS = 16  # at most, in an exercise
_COPIED = 5.0  # how much more a copied token or an end counts
_COMMON = 300  # tokens below it are special, bytes and the most frequent pairs: they are everywhere, and copy nothing

Example = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A conversation: its tokens, what is to be said after each, `_IGNORED` where nothing is, and how much that counts."""


def examples(tokenizer: Tokenizer, phase: Phase, longest: int) -> Iterator[list[Example]]:
    """Return what each of the phase's steps takes; conversations that are too long are left out."""
    made = _conversations(tokenizer, phase, longest)
    generator = np.random.default_rng(phase.seed)
    vocabulary = tokenizer.get_vocab_size()
    for _ in range(phase.steps):
        copied = [_EXERCISES[phase.exercise](generator, vocabulary) for _ in range(phase.exercises)]
        yield [*itertools.islice(made, phase.batch), *copied]


def _conversations(tokenizer: Tokenizer, phase: Phase, longest: int) -> Iterator[Example]:
    end = tokenizer.token_to_id(END)
    for messages in conversations(phase.steps * phase.batch * 2, phase.seed, last=phase.peak is not None):
        tokens, spoken = encoded(tokenizer, messages)
        if len(tokens) <= longest:
            ids = np.asarray(tokens, dtype=np.int64)
            said = np.asarray(spoken)
            yield ids[:-1], np.where(said, ids, _IGNORED)[1:], _weights(ids, said, end, phase.edges)[1:]


def _word(generator: np.random.Generator, vocabulary: int) -> Example:
    """Return a word of a few different tokens, and the same word once more."""
    letters = generator.choice(np.arange(len(SPECIAL), vocabulary), _LETTERS, replace=False)
    word = generator.choice(letters, 2 * _LETTERS)
    return _exercise(np.concatenate((word, word)), np.arange(2 * len(word)) > len(word))


def _runs(generator: np.random.Generator, vocabulary: int) -> Example:
    """Return runs of tokens of which each has its successor: where it was before, the next one can be known."""
    size = int(generator.integers(_LETTERS // 2, _LETTERS, endpoint=True))
    letters = generator.choice(np.arange(len(SPECIAL), vocabulary), size, replace=False)
    lengths = (size, *generator.integers(2, size, 6, endpoint=True).tolist())
    places = [
        np.arange(length) + (int(generator.integers(size)) if index else 0) for index, length in enumerate(lengths)
    ]
    said = [np.arange(length) > (0 if index else length) for index, length in enumerate(lengths)]
    return _exercise(letters[np.concatenate(places) % size], np.concatenate(said))


_EXERCISES = {"word": _word, "runs": _runs}


def _exercise(ids: np.ndarray, said: np.ndarray) -> Example:
    counts = np.full(len(ids) - 1, 1 / np.sqrt(said.sum()), dtype=np.float32)
    return ids[:-1], np.where(said, ids, _IGNORED)[1:], counts


def _weights(ids: np.ndarray, said: np.ndarray, end: int, least: float) -> np.ndarray:
    """Return how much each token counts: long answers less for each, and what stands in a question before more."""
    counts = np.zeros(len(ids), dtype=np.float32)
    edges = np.flatnonzero(np.diff(said.astype(np.int8), prepend=0, append=0))
    heard: set[int] = set()
    before = 0
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        heard |= {token for token in ids[before:start].tolist() if token >= _COMMON}
        copied = np.isin(ids[start:stop], list(heard)) | (ids[start:stop] == end)
        counts[start:stop] = np.where(copied, _COPIED, 1.0) / np.sqrt(stop - start)
        for edge in (slice(start, start + 2), slice(stop - 3, stop)):
            counts[edge] = np.maximum(counts[edge], least)
        before = stop
    return counts


def parts(chosen: list[Example], count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Return the examples sorted by length, in batches of about as many tokens each, padded on the right."""
    ordered = sorted(chosen, key=lambda example: len(example[0]))
    room = sum(len(example[0]) for example in ordered) / count
    group: list[Example] = []
    for index, example in enumerate(ordered):
        group.append(example)
        if len(group) * len(example[0]) >= room or index == len(ordered) - 1:
            longest = len(example[0])
            yield (
                torch.from_numpy(np.stack([np.pad(tokens, (0, longest - len(tokens))) for tokens, _, _ in group])),
                torch.from_numpy(
                    np.stack([np.pad(said, (0, longest - len(said)), constant_values=_IGNORED) for _, said, _ in group])
                ),
                torch.from_numpy(np.stack([np.pad(counts, (0, longest - len(counts))) for _, _, counts in group])),
            )
            group = []


def step(weights: Weights, shape: Shape, chosen: list[Example], turned: torch.Tensor, count: int) -> float:
    """Add the gradients of the examples to the weights, and return the loss for each token that is to be said."""
    total = sum(float(counts[said != _IGNORED].sum()) for _, said, counts in chosen)
    loss_sum = 0.0
    for tokens, said, counts in parts(chosen, count):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            stream = hidden(weights, shape, tokens, turned)
            counted = said != _IGNORED
            logits = functional.linear(stream[counted], weights["token_embd.weight"])
        losses = functional.cross_entropy(logits.float(), said[counted], reduction="none")
        loss = (losses * counts[counted]).sum() / total
        loss.backward()
        loss_sum += float(loss.detach())
    return loss_sum


def rate(index: int, phase: Phase) -> float:
    """Return the share of the peak rate at a step: up, level, and down to zero."""
    cooled = (phase.steps - index) / (phase.cool * phase.steps) if phase.cool else 1.0
    return min(1.0, (index + 1) / min(_WARM_UP, phase.steps), cooled)


Optimizers = tuple[torch.optim.Optimizer, torch.optim.Optimizer]


def optimizers_of(weights: Weights) -> Optimizers:
    """Return what changes the matrices, and what changes the rest."""
    matrices = [weight for name, weight in weights.items() if is_matrix(name)]
    others = [weight for name, weight in weights.items() if not is_matrix(name)]
    return (
        torch.optim.Muon(matrices, lr=_PEAK_MATRIX, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(others, lr=_PEAK_OTHER, betas=(0.9, 0.98), weight_decay=0.0),
    )


def train(
    weights: Weights, shape: Shape, optimizers: Optimizers, tokenizer: Tokenizer, phase: Phase, out: Path
) -> None:
    """Train the weights through one phase; save them every 500 steps and at the end."""
    turned = rotations(shape)
    started = time.monotonic()
    losses: list[float] = []
    for index, chosen in enumerate(examples(tokenizer, phase, shape.context)):
        share = rate(index, phase)
        for optimizer, peak in zip(optimizers, (_PEAK_MATRIX, _PEAK_OTHER), strict=True):
            optimizer.param_groups[0]["lr"] = peak * share * (phase.peak or 1.0)
        losses.append(step(weights, shape, chosen, turned, phase.parts))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        done = index + 1
        if len(losses) >= _TEN and sum(losses[-_TEN:]) < phase.enough * _TEN:
            print(f"{done:5} are enough", flush=True)
            break
        if done % 50 == 0 or done == phase.steps:
            recent = losses[-50:]
            seconds = time.monotonic() - started
            print(f"{done:5} of {phase.steps}  loss {sum(recent) / len(recent):.4f}  {seconds:6.0f} s", flush=True)
        if done % 500 == 0 or done == phase.steps:
            out.parent.mkdir(parents=True, exist_ok=True)
            save_file({name: weight.detach().contiguous() for name, weight in weights.items()}, out)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="at most so many in each phase, to try the recipe out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--last", type=Path, help="only the last phase, from weights of all before it")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(PHASES[0].seed)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    shape = Shape(vocabulary=tokenizer.get_vocab_size())
    weights = {name: weight.requires_grad_() for name, weight in initial(shape).items()}
    print(f"{sum(weight.numel() for weight in weights.values())} parameters", flush=True)
    optimizers = optimizers_of(weights)
    if arguments.last is not None:
        weights = {name: weight.requires_grad_() for name, weight in load_file(arguments.last).items()}
    for phase in PHASES if arguments.last is None else PHASES[-1:]:
        short = phase if arguments.steps is None else phase._replace(steps=min(phase.steps, arguments.steps))
        if phase.peak is not None:
            optimizers = optimizers_of(weights)
        train(weights, shape, optimizers, tokenizer, short, arguments.out)


if __name__ == "__main__":
    main()
