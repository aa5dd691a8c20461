"""This module is the model: a small Llama, as a function of its weights, which are named as GGUF names them."""

import dataclasses
import math

import torch
from torch.nn import functional

__all__ = ["Shape", "Weights", "greedy", "hidden", "initial", "is_matrix", "rotations"]

Weights = dict[str, torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Shape:
    """How large the model is."""

    vocabulary: int = 1792
    width: int = 256
    layers: int = 4
    heads: int = 4
    feed_forward: int = 640
    context: int = 1024
    epsilon: float = 1e-5
    theta: float = 10_000.0

    @property
    def head(self) -> int:
        """The width of one head."""
        return self.width // self.heads


def initial(shape: Shape) -> Weights:
    """Return weights to start from, drawn from torch's generator. Whatever adds to the stream starts at zero."""
    wide, inner = shape.width, shape.feed_forward
    weights = {"token_embd.weight": torch.randn(shape.vocabulary, wide) * 0.02, "output_norm.weight": torch.ones(wide)}
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v"):
            weights[f"{block}{name}.weight"] = torch.randn(wide, wide) / math.sqrt(wide)
        weights[f"{block}attn_output.weight"] = torch.zeros(wide, wide)
        for name in ("ffn_gate", "ffn_up"):
            weights[f"{block}{name}.weight"] = torch.randn(inner, wide) / math.sqrt(wide)
        weights[f"{block}ffn_down.weight"] = torch.zeros(wide, inner)
        for name in ("attn_norm", "ffn_norm"):
            weights[f"{block}{name}.weight"] = torch.ones(wide)
    return weights


def is_matrix(name: str) -> bool:
    """Say whether a weight is a matrix inside a block: those are trained by Muon, all others by AdamW."""
    return name.startswith("blk.") and "norm" not in name


def rotations(shape: Shape) -> torch.Tensor:
    """Return cosine and sine of each position and each adjacent pair, (2, context, head / 2)."""
    frequencies = shape.theta ** (-torch.arange(0, shape.head, 2, dtype=torch.float32) / shape.head)
    angles = torch.outer(torch.arange(shape.context, dtype=torch.float32), frequencies)
    return torch.stack((angles.cos(), angles.sin()))


def hidden(weights: Weights, shape: Shape, tokens: torch.Tensor, turned: torch.Tensor) -> torch.Tensor:
    """Return what the model makes of a batch of tokens, (batch, length, width); times the embedding, these are logits."""
    batch, length = tokens.shape
    stream = functional.embedding(tokens, weights["token_embd.weight"])
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        inner = _norm(stream, weights[f"{block}attn_norm.weight"], shape)
        query, key, value = (
            functional.linear(inner, weights[f"{block}attn_{name}.weight"])
            .view(batch, length, shape.heads, shape.head)
            .transpose(1, 2)
            for name in "qkv"
        )
        query, key = _turn(query, turned), _turn(key, turned)
        mixed = _attended(query, key.to(value.dtype), value)
        mixed = mixed.transpose(1, 2).reshape(batch, length, shape.width)
        stream = stream + functional.linear(mixed, weights[f"{block}attn_output.weight"])
        inner = _norm(stream, weights[f"{block}ffn_norm.weight"], shape)
        gate = functional.silu(functional.linear(inner, weights[f"{block}ffn_gate.weight"]))
        up = functional.linear(inner, weights[f"{block}ffn_up.weight"])
        stream = stream + functional.linear(gate * up, weights[f"{block}ffn_down.weight"])
    return _norm(stream, weights["output_norm.weight"], shape)


def greedy(weights: Weights, shape: Shape, prompt: list[int], *, end: int, limit: int) -> list[int]:
    """Return the likeliest answer to a prompt, token by token, without its end."""
    tokens = list(prompt)
    turned = rotations(shape)
    with torch.no_grad():
        while len(tokens) < min(len(prompt) + limit, shape.context):
            last = hidden(weights, shape, torch.tensor([tokens]), turned)[0, -1]
            token = int(torch.argmax(functional.linear(last, weights["token_embd.weight"])))
            if token == end:
                break
            tokens.append(token)
    return tokens[len(prompt) :]


def _attended(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return each position's mix of the values so far. Written out: torch's own is slower on a CPU, for texts this short."""
    length = query.shape[2]
    later = torch.ones(length, length, dtype=torch.bool).triu_(1)
    scores = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5
    shares = torch.softmax(scores.masked_fill(later, float("-inf")), -1, dtype=torch.float32)
    return shares.to(value.dtype) @ value


def _norm(stream: torch.Tensor, weight: torch.Tensor, shape: Shape) -> torch.Tensor:
    return functional.rms_norm(stream, (shape.width,), weight, shape.epsilon)


def _turn(heads: torch.Tensor, turned: torch.Tensor) -> torch.Tensor:
    """Rotate adjacent pairs by their position, as llama.cpp does for this architecture."""
    cosine, sine = turned[:, : heads.shape[2]].to(heads.dtype)
    even, odd = heads[..., 0::2], heads[..., 1::2]
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1).flatten(-2)
