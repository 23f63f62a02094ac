"""Every tensor of the checkpoint is mapped, dropped, or an error; tied outputs are left out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.checkpoint import open_checkpoint
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.llama import Llama
from converters.mapping import SourceTensor, map_tensors
from tests.support.checkpoints import random_tensors, tiny_checkpoint, to_bf16, write_shards


def mapped(folder: Path, more: dict[str, Any] | None = None, **config: Any) -> dict[str, SourceTensor]:
    """Map a tiny checkpoint with tensors added (or, if None, removed)."""
    tiny_checkpoint(folder, **config)
    stated = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = {name: to_bf16(rows) for name, rows in random_tensors(stated, 7)} | (more or {})
    write_shards(folder, {name: bits for name, bits in tensors.items() if bits is not None}, 1)
    checkpoint = open_checkpoint(folder)
    family = Llama.from_config(checkpoint.config)
    return {source.name: source for source in map_tensors(checkpoint, family, family.n_vocab).sources}


def vector(n: int) -> Any:
    return np.zeros(n, np.uint16)


def test_names_are_those_of_llama_cpp(tmp_path: Path) -> None:
    sources = mapped(tmp_path)
    assert len(sources) == 21
    assert sources["blk.1.ffn_down.weight"].shape == (256, 512)
    (part,) = sources["blk.1.attn_output.weight"].parts
    assert part.inputs[0].stored.name == "model.layers.1.self_attn.o_proj.weight"
    assert sources["blk.0.attn_k.weight"].parts[0].inputs[0].layout.shape == (2, 32, 2, 256)
    assert sources["blk.0.attn_v.weight"].parts[0].inputs[0].layout.shape == (128, 256)


def test_an_equal_tied_output_is_left_out(tmp_path: Path) -> None:
    embedding = np.full((272, 256), 0x3F80, np.uint16)
    tied = {"lm_head.weight": embedding, "model.embed_tokens.weight": embedding}
    assert "output.weight" not in mapped(tmp_path, tied, tie_word_embeddings=True)


def test_an_output_that_differs_is_kept(tmp_path: Path) -> None:
    other = {"lm_head.weight": np.zeros((272, 256), np.uint16)}
    assert "output.weight" in mapped(tmp_path, other, tie_word_embeddings=True)


def test_an_untied_model_needs_its_output(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"lm_head\.weight"):
        mapped(tmp_path, {"lm_head.weight": None})


def test_biases_are_mapped_and_leftovers_dropped(tmp_path: Path) -> None:
    prefix = "model.layers.0.self_attn"
    more = {f"{prefix}.q_proj.bias": vector(256), f"{prefix}.rotary_emb.inv_freq": vector(32)}
    sources = mapped(tmp_path, more)
    assert sources["blk.0.attn_q.bias"].parts[0].inputs[0].layout.shape == (4, 32, 2)
    assert len(sources) == 22


def test_a_layer_too_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"layers\.2\."):
        mapped(tmp_path, {"model.layers.2.input_layernorm.weight": vector(256)})


def test_llama3_rope_makes_a_tensor(tmp_path: Path) -> None:
    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192}  # fmt: skip
    factors = mapped(tmp_path, rope_scaling=rope, rope_theta=500000.0)["rope_freqs.weight"]
    assert factors.shape == (32,)
    assert factors.data is not None
    assert (factors.data[0], factors.data[-1]) == (1.0, 8.0)
