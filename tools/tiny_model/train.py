"""This module trains the model on generated conversations, the same way for the same seed.

    python -m tools.tiny_model.train --tokenizer build/tiny-model/tokenizer.json --out build/tiny-model/model.safetensors

Each step takes some conversations and computes them in parts of similar length: little is padded, and no conversation
sees another one. Only what the model has to say counts: the answers and their ends. Two processes of one thread each
share a step, which is a third faster here than one process of two threads, and add up their gradients.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed
import torch.multiprocessing
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn import functional

from .conversations import conversations
from .model import Shape, Weights, hidden, initial, is_matrix, rotations
from .tokenizer import SPECIAL, encoded

__all__ = ["PHASES", "PROCESSES", "Example", "Phase", "examples", "main", "train", "train_all"]


class Phase(NamedTuple):
    """A part of the training: so many steps of `batch` conversations and of `exercises` in copying, drawn by `seed`.

    An exercise is one of `_EXERCISES`. What a step takes is computed in `parts`. `cool` is the share of the steps in
    which the rate goes down to zero. The phase is over as soon as ten steps have a loss below `enough`. `edges` is the
    least that an answer's first two and last three tokens count: they say what kind it is, and where a count stops.
    `taken` is the least for what an answer takes from the question, the first time: a hero in a long story, a key.
    `peak` is the highest rate of AdamW; in the exercises a high one gives embeddings that are too large to learn more.
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
    taken: float = 0.0
    peak: float = 0.002


PHASES = (
    Phase(steps=400, batch=0, exercises=32, exercise="word", parts=1, cool=0.0, enough=2.5, seed=3),
    Phase(steps=1500, batch=0, exercises=32, exercise="runs", parts=1, cool=0.0, enough=0.75, seed=3),
    Phase(
        steps=5400,
        batch=24,
        exercises=2,
        exercise="runs",
        parts=8,
        cool=0.6,
        enough=0.0,
        seed=1,
        edges=1.0,
        taken=1.5,
        peak=0.006,
    ),
)
"""First to say tokens again, then to find what stood after the same one before, and then to talk. Without the first two
the third one learns all wordings, and takes no name, hero or number from a question: in 5,000 steps it did not. The first
one has to stop early: a model that is good at a word at a fixed distance does not come to look for what stood before."""

PROCESSES = 2
"""How many share the work of a step: one for each core of a small machine. Another number adds up in another order."""

_PEAK_MATRIX = 0.02
_WARM_UP = 40
_TEN = 10
_IGNORED = -100
_ROUND = 16  # lengths are multiples of it: fewer shapes are met for the first time
_LETTERS = 16  # at most, in an exercise
_LENGTH = 0.25  # the power of its answer's length by which a token counts less; with 0.5 stories are learned too slowly
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
    for messages in conversations(phase.steps * phase.batch * 2, phase.seed):
        tokens, spoken = encoded(tokenizer, messages)
        if len(tokens) <= longest:
            ids = np.asarray(tokens, dtype=np.int64)
            said = np.asarray(spoken)
            yield ids[:-1], np.where(said, ids, _IGNORED)[1:], _weights(ids, said, phase)[1:]


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


def _weights(ids: np.ndarray, said: np.ndarray, phase: Phase) -> np.ndarray:
    """Return how much each token counts: in long answers a little less, and what stands in a question before more."""
    counts = np.zeros(len(ids), dtype=np.float32)
    edges = np.flatnonzero(np.diff(said.astype(np.int8), prepend=0, append=0))
    heard: set[int] = set()
    before = 0
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        heard |= {token for token in ids[before:start].tolist() if token >= _COMMON}
        counts[start:stop] = (stop - start) ** -_LENGTH
        first = start + np.unique(ids[start:stop], return_index=True)[1]
        taken = first[np.isin(ids[first], list(heard))]
        counts[taken] = np.maximum(counts[taken], phase.taken)
        for edge in (slice(start, start + 2), slice(stop - 3, stop)):
            counts[edge] = np.maximum(counts[edge], phase.edges)
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
            longest = -(-len(example[0]) // _ROUND) * _ROUND
            yield (
                _padded([tokens for tokens, _, _ in group], longest, 0),
                _padded([said for _, said, _ in group], longest, _IGNORED),
                _padded([counts for _, _, counts in group], longest, 0),
            )
            group = []


def _padded(rows: list[np.ndarray], length: int, value: int) -> torch.Tensor:
    return torch.from_numpy(np.stack([np.pad(row, (0, length - len(row)), constant_values=value) for row in rows]))


def step(weights: Weights, shape: Shape, chosen: list[Example], turned: torch.Tensor, count: int) -> float:
    """Add the gradients of the examples to the weights, and return the loss for each token that is to be said.

    This process computes its share of them; every one of them returns the whole.
    """
    total = sum(float(counts[said != _IGNORED].sum()) for _, said, counts in chosen)
    loss_sum = torch.zeros(1)
    ordered = sorted(chosen, key=lambda example: len(example[0]))
    own = ordered[torch.distributed.get_rank() :: PROCESSES]
    for tokens, said, counts in parts(own, count):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            stream = hidden(weights, shape, tokens, turned)
            counted = said != _IGNORED
            logits = functional.linear(stream[counted], weights["token_embd.weight"])
        losses = functional.cross_entropy(logits.float(), said[counted], reduction="none")
        loss = (losses * counts[counted]).sum() / total
        loss.backward()
        loss_sum += loss.detach()
    return _added(weights, loss_sum)


def _added(weights: Weights, loss: torch.Tensor) -> float:
    """Add up the gradients of all processes in each of them, and return the sum of their losses."""
    gradients = [weight.grad for weight in weights.values() if weight.grad is not None]
    flat = torch.cat([loss, *(gradient.flatten() for gradient in gradients)])
    torch.distributed.all_reduce(flat)
    pieces = flat[1:].split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))
    return float(flat[0])


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
        torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0),
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
        for optimizer, peak in zip(optimizers, (_PEAK_MATRIX, phase.peak), strict=True):
            optimizer.param_groups[0]["lr"] = peak * share
        losses.append(step(weights, shape, chosen, turned, phase.parts))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        done = index + 1
        if len(losses) >= _TEN and sum(losses[-_TEN:]) < phase.enough * _TEN:
            _tell(f"{done:5} are enough")
            break
        if done % 50 == 0 or done == phase.steps:
            recent = losses[-50:]
            seconds = time.monotonic() - started
            _tell(f"{done:5} of {phase.steps}  loss {sum(recent) / len(recent):.4f}  {seconds:6.0f} s")
        if (done % 500 == 0 or done == phase.steps) and torch.distributed.get_rank() == 0:
            out.parent.mkdir(parents=True, exist_ok=True)
            save_file({name: weight.detach().contiguous() for name, weight in weights.items()}, out)


def _tell(line: str) -> None:
    if torch.distributed.get_rank() == 0:
        print(line, flush=True)


def train_all(rank: int, meeting: str, arguments: argparse.Namespace) -> None:
    """Train through all phases, as process `rank` of `PROCESSES`, which meet at the file `meeting`."""
    torch.distributed.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=PROCESSES)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(PHASES[0].seed)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    shape = Shape(vocabulary=tokenizer.get_vocab_size())
    weights = {name: weight.requires_grad_() for name, weight in initial(shape).items()}
    _tell(f"{sum(weight.numel() for weight in weights.values())} parameters")
    optimizers = optimizers_of(weights)
    for phase in PHASES:
        short = phase if arguments.steps is None else phase._replace(steps=min(phase.steps, arguments.steps))
        train(weights, shape, optimizers, tokenizer, short, arguments.out)
    torch.distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="at most so many in each phase, to try the recipe out")
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "20000"  # a kernel is made for each shape: all of them are kept
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(train_all, (f"{folder}/meeting", parser.parse_args()), PROCESSES)


if __name__ == "__main__":
    main()
