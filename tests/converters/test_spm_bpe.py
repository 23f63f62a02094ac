"""SentencePiece vocabularies that are there only as tokenizer.json: the scores made of ranks give the same ids."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from converters.errors import BadCheckpoint
from converters.tokenizer import spm_bpe
from converters.tokenizer.load import load_tokenizer
from converters.tokenizer.loaded import LoadedTokenizer, TokenType
from tests.support.parity import find_parity
from tests.support.sentencepiece_file import gemma3_pieces, write_byte_fallback

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tokenizers"
VOCAB = {"<unk>": 0, "<s>": 1, "<0x0A>": 2, "\u2581": 3, "a": 4, "b": 5, "ab": 6, "\u2581ab": 7, "\u2581\u2581": 8}
MERGES: list[Any] = [["\u2581", "\u2581"], ["a", "b"], "\u2581 ab", ["\u2581a", "b"]]
RUNS = [f"a{space * n}b" for n in range(1, 45) for space in " \n\t"]


def document(**changes: Any) -> dict[str, Any]:
    """Give a small tokenizer.json; changes go into its model."""
    added = [{"id": 0, "content": "<unk>", "special": True}, {"id": 8, "content": "\u2581\u2581"},
             {"id": 9, "content": "<t\u2581>"}]  # fmt: skip
    model = {"type": "BPE", "byte_fallback": True, "vocab": VOCAB, "merges": MERGES} | changes
    return {"model": model, "added_tokens": added, "normalizer": None, "pre_tokenizer": None}


def load(folder: Path, tokenizer: dict[str, Any], n_vocab: int = 11) -> LoadedTokenizer | None:
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return spm_bpe.load(folder, {}, n_vocab)


def column(loaded: LoadedTokenizer | None, key: str) -> list[Any]:
    assert loaded is not None
    return list(loaded.values[f"tokenizer.ggml.{key}"].data)  # type: ignore[arg-type]


def test_scores_follow_the_lowest_rank_that_makes_a_token(tmp_path: Path) -> None:
    loaded = load(tmp_path, document())
    tokens = ["<unk>", "<s>", "<0x0A>", "\u2581", "a", "b", "ab", "\u2581ab", "\u2581\u2581", "<t >", "[PAD10]"]
    assert column(loaded, "tokens") == tokens
    assert column(loaded, "scores") == [-1000, -3, 0, -3, -3, -3, -1, -2, 0, -1000, -10000]
    kinds = TokenType
    assert column(loaded, "token_type") == [
        kinds.CONTROL, kinds.NORMAL, kinds.BYTE, *[kinds.NORMAL] * 6, kinds.USER_DEFINED, kinds.UNUSED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "adds"),
    [
        ({}, False),
        ({"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}}, False),
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}]}}, True),
        ({"pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first"}}, True),
        ({"pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never"}}, False),
    ],
)
def test_the_space_before_a_text_is_told(tmp_path: Path, steps: dict[str, Any], adds: bool) -> None:
    loaded = load(tmp_path, document() | steps)
    assert loaded is not None
    stated = loaded.values.get("tokenizer.ggml.add_space_prefix")
    assert (stated is None or stated.data) is adds


def test_other_kinds_are_left_to_others(tmp_path: Path) -> None:
    assert spm_bpe.load(tmp_path, {}, 11) is None
    assert load(tmp_path, document(byte_fallback=False)) is None
    assert load(tmp_path, document(type="Unigram")) is None
    assert load(tmp_path, document() | {"decoder": {"type": "ByteLevel"}}) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"merges": None}, "no usable merges"),
        ({"merges": [["a", 1]]}, "no usable merges"),
        ({"merges": [7]}, "no usable merges"),
        ({"vocab": ["a"]}, "no usable vocab"),
        ({"vocab": {"a": 0.5}}, "no usable vocab"),
        ({"vocab": {"a": 3, "b": 3}}, "gives id 3 to both 'a' and 'b'"),
        ({"vocab": {**VOCAB, "<t >": 10}}, "9 and 10 are both written '<t >'"),
    ],
)
def test_a_broken_vocabulary_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadCheckpoint, match=words):
        load(tmp_path, document(**changes))


def test_an_added_token_below_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="no id"):
        load(tmp_path, document() | {"added_tokens": [{"id": -1, "content": "x"}]})


@pytest.mark.native
def test_the_reference_vocabulary_gives_the_same_ids(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "spm_bpe", tmp_path, dirs_exist_ok=True)
    parity = find_parity(tmp_path, load_tokenizer(tmp_path, {}, 484), RUNS)
    assert parity.equal == parity.checked >= 300, parity.first_difference


@pytest.mark.native
@pytest.mark.parametrize("prefix", [True, False])
def test_a_real_vocabulary_gives_the_same_ids(tmp_path: Path, prefix: bool) -> None:
    pieces = gemma3_pieces(12_000)
    loaded = load_tokenizer(write_byte_fallback(tmp_path, pieces, prefix), {}, len(pieces))
    parity = find_parity(tmp_path, loaded, RUNS)
    assert parity.equal == parity.checked >= 300, parity.first_difference
