"""Makes the checkpoint that Gemma 3 270M was converted from, as far as its GGUF tells.

Run it alone: `python -m tests.support.gemma_checkpoint FOLDER` makes it with its weights in BF16: all norms as they
were, of the matrices what Q4_K_M left. It takes half a minute.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from tests.support.checkpoints import to_bf16, write_safetensors
from tests.support.gguf_file import GgufFile, read_gguf
from tests.support.models import gemma3_gguf
from tests.support.real_checkpoint import write_hollow_weights
from tests.support.sentencepiece_file import gemma3_pieces, write_model

_NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    "post_ffw_norm": "post_feedforward_layernorm",
}  # fmt: skip
CARD = "---\nlicense: gemma\ntags:\n- gemma3\n- gemma\n- google\npipeline_tag: text-generation\n---\n"


def make_gemma3(parent: Path, *, hollow: bool) -> Path:
    """Write the folder gemma-3-270m; hollow: every weight is zero."""
    source, folder = read_gguf(gemma3_gguf()), parent / "gemma-3-270m"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    _write_json(folder / "config.json", _config(source.metadata))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(source.metadata))
    write_model(folder / "tokenizer.model", gemma3_pieces(), dummy_prefix=False)
    if hollow:
        tensors = ((_hf_name(name), "BF16", tensor.shape) for name, tensor in source.tensors.items())
        write_hollow_weights(folder / "model.safetensors", tensors)
    else:
        write_safetensors(folder / "model.safetensors", dict(_tensors(source)))
    return folder


def _config(facts: dict[str, Any]) -> dict[str, Any]:
    """Give config.json as google/gemma-3-270m has it."""
    size = {key.removeprefix("gemma3."): value for key, value in facts.items()}
    n_layer = size["block_count"]
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "_sliding_window_pattern": 6,
        "attn_logit_softcapping": None,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "final_logit_softcapping": None,
        "head_dim": size["attention.key_length"],
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": size["embedding_length"],
        "intermediate_size": size["feed_forward_length"],
        "layer_types": ["sliding_attention" if (i + 1) % 6 else "full_attention" for i in range(n_layer)],
        "max_position_embeddings": size["context_length"],
        "model_type": "gemma3_text",
        "num_attention_heads": size["attention.head_count"],
        "num_hidden_layers": n_layer,
        "num_key_value_heads": size["attention.head_count_kv"],
        "pad_token_id": 0,
        "rms_norm_eps": 1e-06,
        "rope_local_base_freq": 10000.0,
        "rope_scaling": None,
        "rope_theta": 1000000.0,
        "sliding_window": size["attention.sliding_window"],
        "use_bidirectional_attention": False,
        "vocab_size": len(facts["tokenizer.ggml.tokens"]),
    }


def _tokenizer_config(facts: dict[str, Any]) -> dict[str, Any]:
    columns = (facts[f"tokenizer.ggml.{key}"] for key in ("tokens", "scores", "token_type"))
    added = {
        str(i): {"content": text, "special": kind == 3 and not text.startswith("<unused")}
        for i, (text, score, kind) in enumerate(zip(*columns, strict=True))
        if score == -1000.0 and kind != 1
    }
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return names | {"add_bos_token": True, "add_eos_token": False, "added_tokens_decoder": added,
                    "tokenizer_class": "GemmaTokenizer"}  # fmt: skip


def _tensors(source: GgufFile) -> Iterator[tuple[str, npt.NDArray[np.uint16]]]:
    for name, tensor in source.tensors.items():
        data = np.frombuffer(source.data(name), np.uint8)
        rows = data.reshape(-1, tensor.size_bytes // math.prod(tensor.shape[:-1]))
        values = gguf.quants.dequantize(rows, tensor.type).reshape(tensor.shape)
        yield _hf_name(name), to_bf16(values - 1 if name.endswith("_norm.weight") else values)


def _hf_name(name: str) -> str:
    *block, kind, suffix = name.split(".")
    prefix = f"model.layers.{block[1]}." if block else ""
    return f"{prefix}{_NAMES[kind]}.{suffix}"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Turn the GGUF of Gemma 3 270M into a Hugging Face checkpoint.")
    parser.add_argument("folder", type=Path)
    print(make_gemma3(parser.parse_args().folder, hollow=False))
