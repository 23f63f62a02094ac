"""Mistral's tekken.json: tokens, merges, ids and the same ids as the reference; damaged files are refused."""

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converters.convert import Request, convert
from converters.errors import BadCheckpoint
from converters.events import Cancel, Silent
from converters.helper import Helper
from converters.tokenizer import tekken
from converters.tokenizer.load import load_tokenizer
from converters.tokenizer.loaded import LoadedTokenizer, TokenType
from converters.tokenizer.pre_tokenizers import STYLES
from converters.tokenizer.probe_texts import probe_texts
from converters.tokenizer.ranks import all_halves, last_halves, merges, read_ranks, written, written_tokens
from tests.support.checkpoints import tiny_checkpoint
from tests.support.detection import CountingHelper, find
from tests.support.ranked_fixtures import TOKENIZERS, learned_tokens
from tests.support.ranked_fixtures import tekken as tekken_document

N_VOCAB = 392


def load(folder: Path, n_vocab: int = N_VOCAB) -> LoadedTokenizer:
    loaded = tekken.load(folder, {}, n_vocab)
    assert loaded is not None
    return loaded


def values(loaded: LoadedTokenizer) -> dict[str, Any]:
    return {key.removeprefix("tokenizer.ggml."): value.data for key, value in loaded.values.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(TOKENIZERS / "tekken" / "tekken.json", tmp_path)
    return tmp_path


def test_special_tokens_come_first_and_ranks_after_them(folder: Path) -> None:
    found = values(load(folder))
    tokens, types = found["tokens"], found["token_type"]
    assert len(tokens) == len(types) == len(found["scores"]) == N_VOCAB
    assert tokens[:4] == ["<unk>", "<s>", "</s>", "[INST]"]
    assert tokens[20:24] == ["<SPECIAL_20>", "<SPECIAL_21>", "<SPECIAL_22>", "<SPECIAL_23>"]
    assert tokens[24 + 32] == "\u0120"
    assert types == [TokenType.CONTROL] * 24 + [TokenType.NORMAL] * (N_VOCAB - 24)
    ids = {key: found[key] for key in found if key.endswith("_id") or key.startswith("add_")}
    assert ids == {
        "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0, "padding_token_id": 11,
        "add_bos_token": True, "add_eos_token": False,
    }  # fmt: skip


def test_every_way_to_make_a_token_is_a_merge() -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"bc": 257, b"abc": 258, b"\x00 ": 259}
    assert merges(all_halves(ranks), written_tokens(ranks)) == ["a b", "b c", "a bc", "ab c", "\u0100 \u0120"]
    assert merges(last_halves(ranks), written_tokens(ranks)) == ["a b", "b c", "ab c", "\u0100 \u0120"]


def test_bytes_are_written_as_letters() -> None:
    letters = [written(bytes([byte])) for byte in range(256)]
    assert len(set(letters)) == 256
    assert (letters[32], letters[10], letters[65], letters[173], letters[255]) == (
        "\u0120",
        "\u010a",
        "A",
        "\u0143",
        "ÿ",
    )


def test_a_larger_vocabulary_of_the_weights_is_padded(folder: Path) -> None:
    found = values(load(folder, N_VOCAB + 2))
    assert found["tokens"][-2:] == [f"[PAD{N_VOCAB}]", f"[PAD{N_VOCAB + 1}]"]
    assert found["token_type"][-1] is TokenType.UNUSED


def test_tokenizer_json_goes_first(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    assert tekken.load(folder, {}, N_VOCAB) is None
    (folder / "tokenizer.json").unlink()
    assert load_tokenizer(folder, {}, N_VOCAB).candidates[0] == "tekken"
    (folder / "tekken.json").unlink()
    assert tekken.load(folder, {}, N_VOCAB) is None


MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Bye"},
]


@pytest.mark.parametrize(
    ("version", "prompt"),
    [
        ("v3", "<s>[INST]Be brief.\n\nHi[/INST]Hello</s>[INST]Bye[/INST]"),
        ("v7", "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]Hi[/INST]Hello</s>[INST]Bye[/INST]"),
    ],
)
def test_a_folder_without_template_gets_its_version_s_plain_one(folder: Path, version: str, prompt: str) -> None:
    """The expected prompts are those of llama.cpp's mistral-v3-tekken and mistral-v7-tekken (src/llama-chat.cpp)."""
    jinja2 = pytest.importorskip("jinja2")
    document = json.loads((folder / "tekken.json").read_text(encoding="utf-8"))
    document["config"]["version"] = version
    (folder / "tekken.json").write_text(json.dumps(document), encoding="utf-8")
    template = str(load(folder).values["tokenizer.chat_template"].data)
    assert jinja2.Template(template).render(messages=MESSAGES, bos_token="<s>", eos_token="</s>") == prompt
    (folder / "chat_template.jinja").write_text("own", encoding="utf-8")
    assert load(folder).values["tokenizer.chat_template"].data == "own"


@pytest.mark.native
def test_llama_cpp_gives_the_reference_s_ids(folder: Path) -> None:
    with Helper(Cancel()) as helper:
        counting = CountingHelper(helper)
        parity = find(folder, load(folder), counting)
    assert parity.equal == parity.checked >= 300, parity.first_difference
    assert counting.tried == [parity.pre] == ["tekken"]


@pytest.mark.native
def test_a_missing_merge_gives_other_ids(folder: Path) -> None:
    loaded = load(folder)
    made = loaded.values["tokenizer.ggml.merges"].data
    assert isinstance(made, list)
    del made[0]
    with Helper(Cancel()) as helper:
        parity = find(folder, loaded, CountingHelper(helper), ("tekken",))
    assert 0 < parity.equal < parity.checked


@pytest.mark.native
def test_a_checkpoint_with_tekken_alone_is_converted(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "model", vocab_size=N_VOCAB)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    shutil.copy(TOKENIZERS / "tekken" / "tekken.json", checkpoint)
    result = convert(Request(checkpoint, ("Q8_0",), tmp_path / "out.gguf"), Cancel(), Silent())
    parity = result["tokenizer_parity"]
    assert parity["equal"] == parity["checked"] >= 300
    assert (parity["pre"], result["warnings"]) == ("tekken", [])


def test_the_reference_joins_the_lowest_rank_and_keeps_whole_tokens(tmp_path: Path) -> None:
    tokens = [*(bytes([byte]) for byte in range(256)), b"bc", b"ab", b"abcd", *[b"x%d" % i for i in range(8)]]
    document = tekken_document(tokens, tekken.OLD_SPECIAL, 20)
    (tmp_path / "tekken.json").write_text(json.dumps(document), encoding="utf-8")
    encode = load(tmp_path, 20 + 259).reference.encode
    bc, abcd = 20 + 256, 20 + 258
    assert encode(["abc", "abcd", "abc[INST]abc", ""]) == [
        [20 + 97, bc], [abcd], [20 + 97, bc, 3, 20 + 97, bc], [],
    ]  # fmt: skip


def damaged(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((TOKENIZERS / "tekken" / "tekken.json").read_text(encoding="utf-8"))
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("config"), "no config with a pattern"),
        (lambda d: d["config"].pop("pattern"), "no config with a pattern"),
        (lambda d: d["config"].update(pattern="[z"), "its pattern cannot be used"),
        (lambda d: d["config"].update(default_vocab_size=-1), "default_vocab_size is -1"),
        (lambda d: d["config"].update(default_vocab_size=10**12), "no count of tokens"),
        (lambda d: d["config"].update(default_vocab_size=3_000_000), "its config speaks of 2,999,976"),
        (lambda d: d["config"].update(default_num_special_tokens=3), "20 different special tokens of 20 for 3 places"),
        (lambda d: d.update(vocab="none"), "has 0 tokens"),
        (lambda d: d["vocab"].pop(300), "none of rank 300"),
        (lambda d: d["vocab"].__setitem__(300, d["vocab"][299]), "token 301: 299 is no rank, or is there twice"),
        (lambda d: d["vocab"][300].update(rank=-5), "-5 is no rank"),
        (lambda d: d["vocab"][300].update(rank="x"), "token 301 has no bytes or no rank"),
        (lambda d: d["vocab"][300].update(token_bytes="*?"), "is no base64"),
        (lambda d: d["vocab"][300].update(token_bytes=""), "0 bytes long"),
        (lambda d: d["vocab"][300].update(token_bytes=d["vocab"][301]["token_bytes"]), "twice"),
        (lambda d: d["vocab"][65].update(token_bytes=b64encode(b"zzzz").decode()), "no token for 1 of 256 bytes"),
        (lambda d: d.update(special_tokens=5), "special_tokens is no list"),
        (lambda d: d["special_tokens"].__setitem__(5, None), "special token 5 has another rank"),
        (lambda d: d["special_tokens"][5].update(rank=9), "special token 5 has another rank"),
        (lambda d: d["special_tokens"][5].update(token_str="<s>"), "23 different special tokens of 24"),
        (lambda d: d["special_tokens"][1].update(token_str="x1"), "no special token <s>"),
        (lambda d: d["special_tokens"][5].update(token_str="A"), "the tokens 5 and 89 are both written 'A'"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    folder: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    (folder / "tekken.json").write_text(json.dumps(damaged(change)), encoding="utf-8")
    with pytest.raises(BadCheckpoint, match=r"^tekken\.json") as caught:
        load(folder)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_weights_for_fewer_tokens_are_refused(folder: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"ids up to 391, but config\.json's vocab_size is 390"):
        load(folder, 390)


def test_merges_of_a_large_vocabulary_are_found_quickly() -> None:
    """Some hundred steps a token: a real one of 130,000 takes about a second."""
    tokens = learned_tokens(STYLES["tekken"], probe_texts(), 4000)
    ranks = read_ranks([(b64encode(token).decode(), rank) for rank, token in enumerate(tokens)], "test")
    made = merges(last_halves(ranks), written_tokens(ranks))
    assert len(made) > 0.99 * (len(ranks) - 256)
    assert set(made) <= set(merges(all_halves(ranks), written_tokens(ranks)))
