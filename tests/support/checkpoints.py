"""Makes Hugging Face checkpoints for tests: a real one out of a llama GGUF, and tiny random ones.

Run it alone: `python -m tests.support.checkpoints MODEL.gguf FOLDER` writes config.json, tokenizer.json with its
neighbours, and BF16 safetensors in two shards with their index; numpy, gguf and safetensors are all it needs.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import safetensors

from tests.support.gguf_file import GgufFile, read_gguf
from tests.support.models import smollm2_gguf

Array = npt.NDArray[np.float32]
SMOLLM2_PRE_TOKENIZER = {
    "type": "Sequence",
    "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ],
}
_BLOCK_NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
_OTHER_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def make_checkpoint(gguf_path: Path, folder: Path, n_shards: int = 2) -> Path:
    """Dequantize a llama GGUF into a checkpoint folder, weights rounded to BF16; gives the folder."""
    source = read_gguf(gguf_path)
    facts = source.metadata
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(facts, tied="output.weight" not in source.tensors)
    _write_json(folder / "config.json", config)
    _write_tokenizer(folder, facts)
    tensors = dict(_hf_tensors(source, config))
    write_shards(folder, tensors, n_shards)
    return folder


def _config(facts: Mapping[str, Any], tied: bool) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": facts["llama.embedding_length"],
        "intermediate_size": facts["llama.feed_forward_length"],
        "num_hidden_layers": facts["llama.block_count"],
        "num_attention_heads": facts["llama.attention.head_count"],
        "num_key_value_heads": facts["llama.attention.head_count_kv"],
        "max_position_embeddings": facts["llama.context_length"],
        "rms_norm_eps": round(float(facts["llama.attention.layer_norm_rms_epsilon"]), 9),
        "rope_theta": float(facts["llama.rope.freq_base"]),
        "rope_scaling": None,
        "vocab_size": len(facts["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": tied,
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"],
        "torch_dtype": "bfloat16",
    }


def _write_tokenizer(folder: Path, facts: Mapping[str, Any]) -> None:
    tokens, types = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    control = [i for i, kind in enumerate(types) if kind == 3]
    write_tokenizer(folder, tokens, control, facts["tokenizer.ggml.merges"])
    names = {kind: tokens[facts[f"tokenizer.ggml.{key}_token_id"]] for kind, key in
             (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))}  # fmt: skip
    settings = {f"{kind}_token": token for kind, token in names.items()}
    settings |= {"add_prefix_space": False, "clean_up_tokenization_spaces": False, "tokenizer_class": "GPT2Tokenizer"}
    _write_json(folder / "tokenizer_config.json", settings | {"chat_template": facts["tokenizer.chat_template"]})
    ids = {f"{kind}_token_id": facts[f"tokenizer.ggml.{kind}_token_id"] for kind in ("bos", "eos")}
    _write_json(folder / "generation_config.json", {"_from_model_config": True, **ids})


def write_smollm2_tokenizer(folder: Path) -> None:
    """Write SmolLM2's own tokenizer, out of its GGUF."""
    _write_tokenizer(folder, read_gguf(smollm2_gguf()).metadata)


def write_tokenizer(folder: Path, tokens: Sequence[str], control: Sequence[int], merges: Sequence[str]) -> None:
    """Write a byte-level BPE tokenizer.json with SmolLM2's pre-tokenizer; control are ids of special tokens."""
    added = [
        {"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for i in control
    ]  # fmt: skip
    model = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
        "vocab": {token: i for i, token in enumerate(tokens)}, "merges": list(merges),
    }  # fmt: skip
    decoder = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    document = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": SMOLLM2_PRE_TOKENIZER, "post_processor": None, "decoder": decoder, "model": model,
    }  # fmt: skip
    _write_json(folder / "tokenizer.json", document)


def _hf_tensors(source: GgufFile, config: Mapping[str, Any]) -> Iterator[tuple[str, npt.NDArray[np.uint16]]]:
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for name, tensor in source.tensors.items():
        *block, kind, suffix = name.split(".")
        data = np.frombuffer(source.data(name), dtype=np.uint8).reshape(
            -1, tensor.size_bytes // math.prod(tensor.shape[:-1])
        )
        rows = gguf.quants.dequantize(data, tensor.type).astype(np.float32, copy=False).reshape(tensor.shape)
        if kind in heads:
            rows = halves_from_pairs(rows, heads[kind])
        prefix = f"model.layers.{block[1]}.{_BLOCK_NAMES[kind]}" if block else _OTHER_NAMES[kind]
        yield f"{prefix}.{suffix}", to_bf16(rows)


def halves_from_pairs(rows: Array, n_head: int) -> Array:
    """Undo the rotary reordering of queries and keys: GGUF pairs to HF halves, head by head."""
    head_dim = rows.shape[0] // n_head
    return rows.reshape(n_head, head_dim // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def to_bf16(values: Array) -> npt.NDArray[np.uint16]:
    """Round float32 to the bits of BF16, to nearest even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_shards(folder: Path, tensors: Mapping[str, npt.NDArray[np.uint16]], n_shards: int) -> None:
    """Write BF16 tensors as one model.safetensors, or as n_shards of about equal size with an index."""
    total, groups, filled = (
        sum(bits.nbytes for bits in tensors.values()),
        [dict[str, Any]() for _ in range(n_shards)],
        0,
    )
    for name, bits in tensors.items():
        groups[min(filled * n_shards // total, n_shards - 1)][name] = bits
        filled += bits.nbytes
    names = [f"model-{i + 1:05}-of-{n_shards:05}.safetensors" for i in range(n_shards)]
    names = names if n_shards > 1 else ["model.safetensors"]
    for file_name, group in zip(names, groups, strict=True):
        write_safetensors(folder / file_name, group)
    if n_shards > 1:
        weight_map = {name: file_name for file_name, group in zip(names, groups, strict=True) for name in group}
        _write_json(
            folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map}
        )


def write_safetensors(path: Path, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write one file; uint16 arrays are BF16 bits, float16 and float32 are themselves."""
    names = {"uint16": "bfloat16"}
    kept = {name: np.ascontiguousarray(array) for name, array in tensors.items()}  # alive while the library reads them
    specs = {
        name: safetensors.TensorSpec(
            dtype=names.get(str(array.dtype), str(array.dtype)),
            shape=list(array.shape),
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for name, array in kept.items()
    }
    safetensors.serialize_file(specs, str(path), metadata={"format": "pt"})


def tiny_checkpoint(folder: Path, n_shards: int = 1, seed: int = 7, **overrides: Any) -> Path:
    """Write a small random Llama checkpoint; overrides change config.json (None removes a key)."""
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 512,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "vocab_size": 272, "tie_word_embeddings": False,
    } | overrides  # fmt: skip
    config = {key: value for key, value in config.items() if value is not None}
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", config)
    tokens, merges = byte_vocab()
    write_tokenizer(folder, tokens, [0, 1], merges)
    settings = {"bos_token": tokens[0], "eos_token": tokens[1], "clean_up_tokenization_spaces": False}
    _write_json(folder / "tokenizer_config.json", settings)
    write_shards(folder, {name: to_bf16(rows) for name, rows in random_tensors(config, seed)}, n_shards)
    return folder


def byte_vocab() -> tuple[list[str], list[str]]:
    """Give the 256 byte tokens after two special ones, and a few merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    tokens = ["<|start|>", "<|end|>", *map(chr, printable), *(chr(256 + i) for i in range(len(hidden)))]
    merges = ["h e", "l l", "\u0120 t", "i n", "he ll", "\u0120t he"]
    return [*tokens, *(merge.replace(" ", "") for merge in merges)], merges


def random_tensors(config: Mapping[str, Any], seed: int) -> Iterator[tuple[str, Array]]:
    """Give HF names and random weights of a Llama model of this config."""
    rng = np.random.default_rng(seed)
    n_embd, n_ff = config["hidden_size"], config["intermediate_size"]
    q_rows = config.get("head_dim", n_embd // config["num_attention_heads"]) * config["num_attention_heads"]
    kv_rows = q_rows // config["num_attention_heads"] * config["num_key_value_heads"]
    shapes = {"model.embed_tokens": (config["vocab_size"], n_embd), "model.norm": (n_embd,)}
    if not config.get("tie_word_embeddings"):
        shapes["lm_head"] = (config["vocab_size"], n_embd)
    block = {
        "self_attn.q_proj": (q_rows, n_embd), "self_attn.k_proj": (kv_rows, n_embd),
        "self_attn.v_proj": (kv_rows, n_embd), "self_attn.o_proj": (n_embd, q_rows),
        "mlp.gate_proj": (n_ff, n_embd), "mlp.up_proj": (n_ff, n_embd), "mlp.down_proj": (n_embd, n_ff),
        "input_layernorm": (n_embd,), "post_attention_layernorm": (n_embd,),
    }  # fmt: skip
    if n_expert := config.get("num_local_experts"):
        block = {name: shape for name, shape in block.items() if not name.startswith("mlp.")}
        block["block_sparse_moe.gate"] = (n_expert, n_embd)
        parts = {"w1": (n_ff, n_embd), "w2": (n_embd, n_ff), "w3": (n_ff, n_embd)}
        for e, part in product(range(n_expert), parts):
            block[f"block_sparse_moe.experts.{e}.{part}"] = parts[part]
    for i in range(config["num_hidden_layers"]):
        shapes |= {f"model.layers.{i}.{name}": shape for name, shape in block.items()}
    for name, shape in shapes.items():
        yield f"{name}.weight", rng.standard_normal(shape, dtype=np.float32) * np.float32(0.05)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Turn a llama GGUF into a Hugging Face checkpoint (BF16).")
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    print(make_checkpoint(options.gguf, options.folder))
