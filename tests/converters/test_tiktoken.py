"""Kimi's tiktoken.model: tokens, merges, reserved tokens, and the reference's ids, without the folder's code."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.events import Cancel
from converters.helper import Helper
from converters.tokenizer import tiktoken
from converters.tokenizer.load import load_tokenizer
from converters.tokenizer.loaded import LoadedTokenizer, TokenType
from converters.tokenizer.pre_tokenizers import KIMI_PATTERN, split_step
from converters.tokenizer.ranks import last_halves, merges, read_ranks, written_tokens
from tests.support.byte_level import byte_level
from tests.support.detection import CountingHelper, find
from tests.support.ranked_fixtures import TOKENIZERS

N_RANKS = 376
N_VOCAB = N_RANKS + 256
CONFIG = {"bos_token_id": N_RANKS, "eos_token_id": N_RANKS + 2, "vocab_size": N_VOCAB}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in (TOKENIZERS / "tiktoken").iterdir():
        shutil.copy(path, tmp_path)
    (tmp_path / "tokenization_kimi.py").write_text("raise SystemExit('code of the folder was run')", encoding="utf-8")
    return tmp_path


def load(folder: Path, n_vocab: int = N_VOCAB) -> LoadedTokenizer:
    loaded = tiktoken.load(folder, CONFIG, n_vocab)
    assert loaded is not None
    return loaded


def values(loaded: LoadedTokenizer) -> dict[str, Any]:
    return {key.removeprefix("tokenizer."): value.data for key, value in loaded.values.items()}


def test_reserved_tokens_stand_after_the_ranks(folder: Path) -> None:
    found = values(load(folder))
    tokens, types = found["ggml.tokens"], found["ggml.token_type"]
    assert len(tokens) == len(types) == N_VOCAB
    assert tokens[N_RANKS : N_RANKS + 6] == [
        "[BOS]", "[EOS]", "<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|reserved_token_381|>",
    ]  # fmt: skip
    assert tokens[-2:] == ["[UNK]", "[PAD]"]
    assert types == [TokenType.NORMAL] * N_RANKS + [TokenType.CONTROL] * 256
    assert (found["ggml.bos_token_id"], found["ggml.eos_token_id"]) == (N_RANKS, N_RANKS + 2)
    assert "<|im_assistant|>assistant" in found["chat_template"]


def test_weights_for_more_tokens_are_padded(folder: Path) -> None:
    found = values(load(folder, N_VOCAB + 5))
    assert found["ggml.tokens"][-4:] == [
        f"<|reserved_token_{N_VOCAB + 1}|>", f"[PAD{N_VOCAB + 2}]", f"[PAD{N_VOCAB + 3}]", f"[PAD{N_VOCAB + 4}]",
    ]  # fmt: skip
    assert found["ggml.token_type"][-1] is TokenType.UNUSED


def test_merges_are_what_lower_ranks_lead_to(folder: Path) -> None:
    made = values(load(folder))["ggml.merges"]
    assert len(made) == N_RANKS - 256
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"bc": 256, b"ab": 257, b"abc": 258, b"xyz": 259}
    assert merges(last_halves(ranks), written_tokens(ranks)) == ["b c", "a b", "a bc"]  # "xyz" cannot be reached


@pytest.mark.native
def test_llama_cpp_gives_the_reference_s_ids(folder: Path) -> None:
    with Helper(Cancel()) as helper:
        counting = CountingHelper(helper)
        parity = find(folder, load_tokenizer(folder, CONFIG, N_VOCAB, kinds=("bpe", "tiktoken")), counting)
    assert parity.equal == parity.checked >= 300, parity.first_difference
    assert counting.tried == [parity.pre] == ["kimi-k2"]


@pytest.mark.native
def test_a_tokenizer_json_beside_it_says_the_same(folder: Path) -> None:
    ranked = values(load(folder))
    _write_tokenizer_json(folder, ranked)
    loaded = load_tokenizer(folder, CONFIG, N_VOCAB, kinds=("bpe", "tiktoken"))
    found = values(loaded)
    for key in ("ggml.tokens", "ggml.token_type", "ggml.merges", "ggml.bos_token_id"):
        assert found[key] == ranked[key], key
    with Helper(Cancel()) as helper:
        parity = find(folder, loaded, CountingHelper(helper))
    assert (parity.pre, parity.equal) == ("kimi-k2", parity.checked)


def _write_tokenizer_json(folder: Path, ranked: dict[str, Any]) -> None:
    tokens = ranked["ggml.tokens"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    document = {
        "added_tokens": [{"id": i, "content": tokens[i], **flags} for i in range(N_RANKS, N_VOCAB)],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split_step(KIMI_PATTERN), byte_level()]},
        "decoder": byte_level(),
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens[:N_RANKS])},
            "merges": [merge.split(" ") for merge in ranked["ggml.merges"]],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize("name", ["QWenTokenizer", ["QWenTokenizer"], None])
def test_a_class_that_is_not_known_is_refused_by_name(folder: Path, name: object) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}), encoding="utf-8")
    with pytest.raises(UnsupportedModel, match=r"QWenTokenizer|None") as caught:
        load(folder)
    assert "TikTokenTokenizer" in caught.value.hint


def test_another_folder_is_not_its_business(tmp_path: Path) -> None:
    assert tiktoken.load(tmp_path, {}, 10) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("!!!! 300", "is no base64"),
        ("YQ 300", "is no base64"),
        (" 300", "0 bytes long"),
        ("YWJjZGVm", "is no token with a rank"),
        ("YWJjZGVm -1", "is no token with a rank"),
        ("YWJjZGVm 3e2", "is no token with a rank"),
        ("YWJjZGVm 300 7", "is no token with a rank"),
        ("YWJjZGVm " + "9" * 5000, "is no token with a rank"),
        ("YWJjZGVm 99999999", "99999999 is no rank"),
        ("YWJjZGVm 299", "299 is no rank, or is there twice"),
        ("YQ== 300", "twice"),
        ("YWJjZGVm 500", "none of rank 300"),
        ("\u00e9", "is not text"),
        ("A" * 9000 + " 300", "6,750 bytes long"),
    ],
)
def test_a_damaged_line_is_refused(folder: Path, line: str, said: str) -> None:
    path = folder / "tiktoken.model"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[300] = line
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadCheckpoint, match=r"^tiktoken\.model") as caught:
        load(folder)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 200


def test_a_file_without_all_bytes_is_refused(folder: Path) -> None:
    (folder / "tiktoken.model").write_text("YQ== 0\nYg== 1\n", encoding="utf-8")
    with pytest.raises(BadCheckpoint, match="no token for 254 of 256 bytes"):
        load(folder)


def test_more_ranks_than_weights_are_refused(folder: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"ids up to 375, but config\.json's vocab_size is 300"):
        load(folder, 300)


def test_names_that_are_no_text_are_passed_over(folder: Path) -> None:
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["added_tokens_decoder"] = {str(N_RANKS): {"content": 5}, str(N_RANKS + 1): "x", "-3": {}, "many": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load(folder).special_tokens[:2] == (f"<|reserved_token_{N_RANKS}|>", f"<|reserved_token_{N_RANKS + 1}|>")


def test_ranks_are_read_in_any_order() -> None:
    lines = [(f"{byte:02x}", byte) for byte in range(256)]
    ranks = read_ranks([(_base64(bytes.fromhex(text)), rank) for text, rank in reversed(lines)], "test")
    assert list(ranks.values()) == list(range(256))


def _base64(token: bytes) -> str:
    from base64 import b64encode

    return b64encode(token).decode()
