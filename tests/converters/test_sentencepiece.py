"""SentencePiece tokenizers: tokenizer.model and its neighbours turned into GGUF values that give the same ids."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from converters.convert import Request, prepare
from converters.convert import find_parity as find_file_parity
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.events import Cancel
from converters.helper import Helper
from converters.tokenizer.load import load_tokenizer
from converters.tokenizer.loaded import LoadedTokenizer, TokenType
from converters.tokenizer.sentencepiece_model import read_sentencepiece
from tests.support.checkpoints import tiny_checkpoint
from tests.support.parity import find_parity
from tests.support.sentencepiece_file import (
    BYTE,
    CONTROL,
    NORMAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    field,
    gemma3_pieces,
    number,
    piece_message,
    varint,
    write_model,
)

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tokenizers"
PIECES = [
    ("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL), ("<tool\u2581x>", 0.0, USER_DEFINED),
    ("<0x00>", 0.0, BYTE), ("gone", -9.0, UNUSED), ("\u2581", -2.0, NORMAL), ("a", -1.5, NORMAL),
]  # fmt: skip
WHITESPACE = [f"{left}{space * n}{right}" for n in range(1, 45) for left, right in (("", ""), ("a", "b"))
              for space in (" ", "\n", "\t")]  # fmt: skip


def model_folder(folder: Path, **neighbours: Any) -> Path:
    """Write the small model, and JSON files by name without ending."""
    write_model(folder / "tokenizer.model", PIECES)
    for name, value in neighbours.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def load(folder: Path, n_vocab: int = len(PIECES), config: dict[str, Any] | None = None) -> LoadedTokenizer:
    return load_tokenizer(folder, config or {}, n_vocab)


def column(loaded: LoadedTokenizer, key: str) -> list[Any]:
    return list(loaded.values[f"tokenizer.ggml.{key}"].data)  # type: ignore[arg-type]


def values(loaded: LoadedTokenizer) -> dict[str, Any]:
    return {key.removeprefix("tokenizer.ggml."): value.data for key, value in loaded.metadata("default").items()}


def test_pieces_keep_text_score_and_type(tmp_path: Path) -> None:
    loaded = load(model_folder(tmp_path), n_vocab=10)
    assert column(loaded, "tokens") == [
        "<unk>", "<s>", "</s>", "<tool x>", "<0x00>", "gone", "\u2581", "a", "[PAD8]", "[PAD9]",
    ]  # fmt: skip
    assert column(loaded, "scores") == [0, 0, 0, 0, 0, -9, -2, -1.5, -10000, -10000]
    assert column(loaded, "token_type") == [2, 3, 3, 4, 6, 5, 1, 1, 5, 5]
    found = values(loaded)
    assert (found["model"], found["pre"], loaded.candidates) == ("llama", "default", ("default",))
    assert "add_space_prefix" not in found


def test_added_tokens_override_pieces_and_each_other(tmp_path: Path) -> None:
    entries = {"5": {"content": "<pad>"}, "8": {"content": "<|x|>", "special": True}, "9": {"content": "\u2581\u2581"}}
    added = [{"id": 10, "content": "<new>", "special": True}, {"id": 11, "content": "<far>"}]
    folder = model_folder(
        tmp_path, added_tokens={"<|x|>": 8, "gone": 5}, tokenizer={"model": {}, "added_tokens": added},
        tokenizer_config={"added_tokens_decoder": entries},
    )  # fmt: skip
    loaded = load(folder, n_vocab=11)
    assert column(loaded, "tokens")[5:] == ["<pad>", "\u2581", "a", "<|x|>", "  ", "<new>"]
    kinds = TokenType
    assert column(loaded, "token_type")[8:] == [kinds.CONTROL, kinds.USER_DEFINED, kinds.CONTROL]
    assert column(loaded, "token_type")[5] == kinds.CONTROL
    assert column(loaded, "scores")[8:] == [-1000.0] * 3
    assert loaded.special_tokens == ("<s>", "<tool x>", "</s>", "  ", "<pad>", "<|x|>", "<new>")


def test_tokens_without_a_row_in_the_weights_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = {"model": {}, "added_tokens": [{"id": 8, "content": "<pad>", "special": True}]}
    folder = model_folder(tmp_path, tokenizer=tokenizer, tokenizer_config={"pad_token": "<pad>", "eos_token": "</s>"})
    with caplog.at_level("INFO"):
        loaded = load(folder, config={"eos_token_id": 2, "pad_token_id": 1})
    assert loaded.n_tokens == 8
    assert (values(loaded)["eos_token_id"], values(loaded)["padding_token_id"]) == (2, 1)
    assert "1 tokens from id 8 on" in caplog.text


def test_a_model_that_adds_no_space_says_so(tmp_path: Path) -> None:
    write_model(tmp_path / "tokenizer.model", PIECES, dummy_prefix=False)
    assert values(load(tmp_path))["add_space_prefix"] is False


def test_special_ids_are_of_the_json_files(tmp_path: Path) -> None:
    config = {"bos_token_id": 1, "eos_token_id": 2}
    folder = model_folder(
        tmp_path, tokenizer_config={"add_bos_token": True, "chat_template": "t", "unk_token": "<unk>"}
    )
    found = values(load(folder, config=config))
    assert {key: found[key] for key in found if "token_id" in key or "add_" in key} == {
        "bos_token_id": 1, "eos_token_id": 2, "add_bos_token": True,
    }  # fmt: skip
    assert found["tokenizer.chat_template"] == "t"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 pieces"),
        (b'{"version": "1.0"}', "starts no field"),
        (b"\x0a\xff\xff\xff\xff\x0f\x0a\x01a", "claims 4,294,967,295 bytes"),
        (b"\x0a" + b"\xff" * 12, "has no end"),
        (b"\x0a", "index out of range"),
        (field(1, b"\x0a\x05ab"), "claims 5 bytes"),
        (field(1, piece_message("ab", 0.0, NORMAL)[:-2]), "claims 4 bytes"),
        (field(1, b"\x0a\x02\xff\xfe"), "can't decode"),
        (field(1, piece_message("ab", float("nan"), NORMAL)), "'ab', is nan"),
        (field(1, piece_message("ab", float("-inf"), NORMAL)), "'ab', is -inf"),
        (field(1, piece_message("ab", 0.0, 9)), "9 is not a valid"),
    ],
)
def test_a_broken_model_is_refused_in_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(BadCheckpoint, match=r"tokenizer\.model is no SentencePiece model") as caught:
        load(tmp_path)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("neighbours", "n_vocab", "words"),
    [
        ({"added_tokens": {"a": 9}}, 10, "7 and 9 are both written 'a'"),
        ({"added_tokens": {"x": 8, "y": 8}}, 10, "one id to several"),
        ({"added_tokens": {"x": "8"}}, 10, "'x' no usable id"),
        ({"added_tokens": {"x": -1}}, 10, "'x' no usable id"),
        ({"tokenizer_config": {"added_tokens_decoder": {"8": {"special": True}}}}, 10, "no content"),
        ({}, 0, "vocab_size is 0"),
        ({}, 1 << 40, "vocab_size is 1099511627776"),
    ],
)
def test_contradicting_neighbours_are_refused(
    tmp_path: Path, neighbours: dict[str, Any], n_vocab: int, words: str
) -> None:
    with pytest.raises(BadCheckpoint, match=words):
        load(model_folder(tmp_path, **neighbours), n_vocab=n_vocab)


def test_an_absurd_size_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "tokenizer.model").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BadCheckpoint, match=r"1,099,511,627,776 bytes"):
        read_sentencepiece(tmp_path / "tokenizer.model")


def test_what_scores_cannot_merge_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "tokenizer.model", PIECES, model_type=1)
    with pytest.raises(UnsupportedModel, match="unigram"):
        load(tmp_path)


def test_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    extra = number(90, 1 << 40) + field(91, b"x") + varint(92 << 3 | 1) + struct.pack("<d", 1.0)
    (tmp_path / "tokenizer.model").write_bytes(
        extra + field(1, piece_message("a", -1.0, NORMAL) + extra) + field(2, number(3, 2))
    )
    (piece,) = read_sentencepiece(tmp_path / "tokenizer.model").pieces
    assert piece == ("a", -1.0, TokenType.NORMAL)


@pytest.mark.native
def test_a_model_with_every_kind_of_piece_gives_the_same_ids(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "spm", tmp_path, dirs_exist_ok=True)
    parity = find_parity(tmp_path, load(tmp_path, n_vocab=484), WHITESPACE)
    assert parity.equal == parity.checked >= 300, parity.first_difference


@pytest.mark.native
def test_a_real_vocabulary_gives_the_same_ids(tmp_path: Path) -> None:
    pieces = gemma3_pieces(12_000)
    write_model(tmp_path / "tokenizer.model", pieces, dummy_prefix=False)
    parity = find_parity(tmp_path, load(tmp_path, n_vocab=len(pieces)), WHITESPACE)
    assert parity.equal == parity.checked >= 300, parity.first_difference


@pytest.mark.native
def test_what_the_family_says_of_the_tokenizer_is_compared_too(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path, vocab_size=484)
    (folder / "tokenizer.json").unlink()
    shutil.copytree(FIXTURES / "spm", folder, dirs_exist_ok=True)
    cancel, equal = Cancel(), []
    for adds_space in (True, False):
        (folder / "tokenizer_config.json").write_text(json.dumps({"add_prefix_space": adds_space}), encoding="utf-8")
        with Helper(cancel) as helper:
            parity = find_file_parity(prepare(Request(folder, ("F16",)), helper, cancel), helper, cancel)
        equal.append(parity.equal == parity.checked)
    assert equal == [True, False]


@pytest.mark.native
@pytest.mark.parametrize(
    ("name", "known"),
    [("Phi-3-mini-it", "Phi-3 Mini It"), ("orca", "Orca Phi-3"), ("phi3-x", "Phi3 X"), ("phi_3_x", "Phi_3_X Phi-3")],
)
def test_tokens_that_swallow_spaces_are_known_by_the_name(tmp_path: Path, name: str, known: str) -> None:
    folder = tiny_checkpoint(tmp_path / name, vocab_size=484)
    shutil.copy(FIXTURES / "spm" / "tokenizer.model", folder)
    tokenizer = json.loads((FIXTURES / "spm_bpe" / "tokenizer.json").read_text(encoding="utf-8"))
    more = [
        {**tokenizer["added_tokens"][0], "id": 480 + i, "content": t} for i, t in enumerate(("<|endoftext|>", "<|u|>"))
    ]
    tokenizer["added_tokens"] += more
    for entry in tokenizer["added_tokens"]:
        entry["rstrip"] = entry["content"] not in ("<unk>", "<s>", "<|endoftext|>")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "tokenizer_config.json").unlink()
    cancel = Cancel()
    with Helper(cancel) as helper:
        prepared = prepare(Request(folder, ("F16",)), helper, cancel)
        parity = find_file_parity(prepared, helper, cancel)
    assert prepared.general["general.name"].data == known
    assert parity.equal == parity.checked >= 300, parity.first_difference
