"""This module writes the trained weights as a GGUF file that llama.cpp loads: the same bytes for the same weights.

python -m tools.tiny_model.convert --tokenizer ... --weights ... --out headrace-tiny.gguf
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize
from safetensors.numpy import load_file

from .model import Shape
from .recipe import recipe_hash
from .tokenizer import CHAT_TEMPLATE, END, PAD, SPECIAL

__all__ = ["convert"]

_Q8 = gguf.GGMLQuantizationType.Q8_0


def convert(tokenizer: Path, weights: Path, out: Path) -> None:
    """Write the GGUF file: the matrices as q8_0, the norms as f32."""
    table = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]
    pieces = sorted(table["vocab"], key=table["vocab"].__getitem__)
    shape = Shape(vocabulary=len(pieces))
    writer = gguf.GGUFWriter(out, "llama")
    _describe(writer, shape)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(pieces)
    writer.add_token_types([gguf.TokenType.CONTROL if piece in SPECIAL else gguf.TokenType.NORMAL for piece in pieces])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in table["merges"]])
    writer.add_bos_token_id(table["vocab"][PAD])
    writer.add_pad_token_id(table["vocab"][PAD])
    writer.add_eos_token_id(table["vocab"][END])
    writer.add_eot_token_id(table["vocab"][END])
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, values in sorted(load_file(weights).items()):
        if values.ndim == 1:
            writer.add_tensor(name, values.astype(np.float32))
        else:
            writer.add_tensor(name, quantize(values.astype(np.float32), _Q8), raw_dtype=_Q8)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name("headrace-tiny")
    writer.add_author("The Headrace project")
    writer.add_license("Apache-2.0")
    writer.add_description("A very small demonstration model that comes with Headrace; it knows next to nothing.")
    writer.add_languages(["en", "es", "fr", "de"])
    writer.add_string("headrace.recipe", recipe_hash())
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.theta)
    writer.add_layer_norm_rms_eps(shape.epsilon)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the weights as GGUF.")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    convert(arguments.tokenizer, arguments.weights, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes, recipe {recipe_hash()}")


if __name__ == "__main__":
    main()
