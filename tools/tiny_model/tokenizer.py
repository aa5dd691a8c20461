"""This module trains the tokenizer, and writes conversations down as tokens: byte-level BPE, ChatML.

    python -m tools.tiny_model.tokenizer build/tiny-model/tokenizer.json

Text is split as GPT-2 does, which llama.cpp does too. So the numbers that are counted to are a token each: a model that
has them digit by digit stops at 16 where it was told 26. Every byte is a token, so that no text is lost.
"""

import argparse
import itertools
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from .conversations import Message, conversations
from .conversations_numbers import COUNTED

__all__ = ["CHAT_TEMPLATE", "END", "PAD", "SPECIAL", "START", "VOCABULARY", "encoded", "train"]

VOCABULARY = 1792
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (PAD, START, END)

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_SAMPLE = 40_000  # conversations are enough to find the frequent pieces
_OFTEN = 3000  # times that a number is said besides, so that even a rare one becomes a token


def train(seed: int) -> Tokenizer:
    """Return a tokenizer that was trained on what the seed's conversations say."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (message["content"] for made in conversations(_SAMPLE, seed) for message in made)
    numbers = (f" {number}" for number in range(COUNTED + 1) for _ in range(_OFTEN))
    tokenizer.train_from_iterator(itertools.chain(texts, numbers, ("system\n", "user\n", "assistant\n")), trainer)
    return tokenizer


def encoded(tokenizer: Tokenizer, messages: list[Message]) -> tuple[list[int], list[bool]]:
    """Return a conversation as tokens, and which of them the model has to say: the answers, each with its end."""
    start, end = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
    newline = tokenizer.encode("\n").ids
    tokens: list[int] = []
    spoken: list[bool] = []
    for message in messages:
        # a template's text is tokenized between the special tokens, role and content in one
        head = tokenizer.encode(f"{message['role']}\n").ids
        body = tokenizer.encode(f"{message['role']}\n{message['content']}").ids
        says = message["role"] == "assistant"
        tokens += [start, *body, end, *newline]
        spoken += [False] * (1 + len(head)) + [says] * (len(body) - len(head) + 1) + [False] * len(newline)
    return tokens, spoken


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the tokenizer.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    train(arguments.seed).save(str(arguments.out))
    print(f"{arguments.out}: {VOCABULARY} tokens")


if __name__ == "__main__":
    main()
