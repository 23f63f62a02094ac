"""Gemma 4's tokenizer: merged by ranks, spaces as SentencePiece writes them, seven control tokens that are shown."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from converters.errors import BadCheckpoint
from converters.tokenizer.load import load_tokenizer
from converters.tokenizer.loaded import LoadedTokenizer, TokenType
from tests.support.parity import find_parity
from tests.support.sentencepiece_file import gemma3_pieces, write_byte_fallback

FIXTURE = Path(__file__).parent.parent / "fixtures" / "tokenizers" / "gemma4"
SHOWN = {"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>'}
RUNS = [f"a{space * n}b" for n in range(1, 45) for space in " \n\t"]


def load(folder: Path, n_vocab: int) -> LoadedTokenizer:
    return load_tokenizer(folder, {}, n_vocab, kinds=("gemma4",))


def values(loaded: LoadedTokenizer) -> dict[str, Any]:
    return {key.removeprefix("tokenizer.ggml."): value.data for key, value in loaded.metadata("gemma4").items()}


def test_the_values_are_those_of_llama_cpp() -> None:
    found = values(load(FIXTURE, 514))
    assert {key: found[key] for key in found if not isinstance(found[key], list) and "template" not in key} == {
        "model": "gemma4", "bos_token_id": 2, "eos_token_id": 1, "unknown_token_id": 3, "padding_token_id": 0,
        "mask_token_id": 4, "add_space_prefix": False, "add_bos_token": True,
    }  # fmt: skip
    assert found["tokenizer.chat_template"].startswith("{{ bos_token }}")
    assert set(found["scores"][:512]) == {-1000.0}
    assert found["merges"][0] == "\n \n"
    kinds = TokenType
    by_kind = {
        kind: [t for t, k in zip(found["tokens"], found["token_type"], strict=True) if k == kind] for kind in kinds
    }
    assert set(by_kind[kinds.USER_DEFINED]) == SHOWN
    assert by_kind[kinds.CONTROL][:5] == ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    assert {"<|turn>", "<turn|>", "<|think|>", "<|tool>"} < set(by_kind[kinds.CONTROL])
    assert len(by_kind[kinds.BYTE]) == 256
    assert by_kind[kinds.UNUSED] == ["[PAD512]", "[PAD513]"]


def test_a_folder_without_it_is_refused(tmp_path: Path) -> None:
    shutil.copy(FIXTURE.parent / "bpe" / "tokenizer.json", tmp_path)
    with pytest.raises(BadCheckpoint):
        load(tmp_path, 300)


@pytest.mark.native
def test_the_small_vocabulary_gives_the_same_ids(tmp_path: Path) -> None:
    shutil.copytree(FIXTURE, tmp_path, dirs_exist_ok=True)
    parity = find_parity(tmp_path, load(tmp_path, 512), RUNS)
    assert parity.equal == parity.checked >= 300, parity.first_difference


@pytest.mark.native
def test_a_real_vocabulary_gives_the_same_ids(tmp_path: Path) -> None:
    pieces = gemma3_pieces(12_000)
    loaded = load(write_byte_fallback(tmp_path, pieces, prefix=False), len(pieces))
    parity = find_parity(tmp_path, loaded, RUNS)
    assert parity.equal == parity.checked >= 300, parity.first_difference
