"""Tokenizer files turned into GGUF values, from JSON alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.errors import BadCheckpoint, NotYet
from converters.tokenizer.bpe import TokenType, added_tokens, read_vocab, require_byte_level_bpe
from converters.tokenizer.load import load_tokenizer
from converters.tokenizer.probe_texts import probe_texts
from converters.tokenizer.special import special_metadata, template_metadata
from tests.support.checkpoints import tiny_checkpoint

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}


class Same:
    """A codec that changes nothing."""

    def round_trip(self, text: str) -> str:
        return text


def bpe(vocab: dict[str, int], merges: list[Any] | None = None, added: list[Any] | None = None) -> dict[str, Any]:
    model = {"type": "BPE", "vocab": vocab, "merges": merges or []}
    return {"model": model, "added_tokens": added or [], "decoder": {"type": "ByteLevel"}}


def special(token_id: int, content: str, **more: Any) -> dict[str, Any]:
    return {"id": token_id, "content": content, "special": True, "normalized": False, **more}


def test_tokens_get_their_types() -> None:
    added = [special(1, "<|end|>"), special(2, "<tool>", special=False), special(3, "<pad>", special=False)]
    tokenizer = bpe({"a": 0, "<tool>": 2}, ["a b", ["\u0120", "x y"]], added)
    vocab = read_vocab(tokenizer, added_tokens(tokenizer, {}), 6, Same())
    assert list(vocab.tokens) == ["a", "<|end|>", "<tool>", "<pad>", "[PAD4]", "[PAD5]"]
    kinds = TokenType
    assert list(vocab.types) == [
        kinds.NORMAL,
        kinds.CONTROL,
        kinds.USER_DEFINED,
        kinds.CONTROL,
        kinds.UNUSED,
        kinds.UNUSED,
    ]
    assert list(vocab.merges) == ["a b", "\u0120 x\u0120y"]


def test_added_tokens_of_the_config_alone_are_taken_too() -> None:
    config = {"added_tokens_decoder": {"1": {"content": "<|x|>", "special": True}, "0": {"content": "no"}}}
    added = added_tokens(bpe({}, added=[special(0, "yes")]), config)
    assert [entry["content"] for entry in added] == ["yes", "<|x|>"]


@pytest.mark.parametrize(
    "tokenizer",
    [
        bpe({"a": 0, "b": 0}),
        bpe({"a": 9}),
        bpe({"a": -1}),
        bpe({"a": "x"}),
        bpe({"a": 0}, [["a"]]),
        {"model": {"vocab": []}},
    ],  # type: ignore[dict-item]
)
def test_a_senseless_vocabulary_is_refused(tokenizer: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint):
        read_vocab(tokenizer, [], 4, Same())


def test_other_kinds_are_refused_for_now() -> None:
    with pytest.raises(NotYet, match="WordPiece"):
        require_byte_level_bpe({"model": {"type": "WordPiece"}})
    with pytest.raises(NotYet, match="SentencePiece"):
        require_byte_level_bpe({"model": {"type": "BPE", "byte_fallback": True}, "decoder": {"type": "ByteLevel"}})
    require_byte_level_bpe(bpe({}))


LLAMA3_TEMPLATE = {
    "type": "Sequence",
    "processors": [
        {"type": "ByteLevel"},
        {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<|begin|>"}}, {"Sequence": {"id": "A"}}],
            "pair": [{"SpecialToken": {"id": "<|begin|>"}}, {"Sequence": {"id": "A"}},
                     {"SpecialToken": {"id": "<|begin|>"}}, {"Sequence": {"id": "B"}}],
        },
    ],
}  # fmt: skip


def values(
    post_processor: Any, tokenizer_config: dict[str, Any], config: dict[str, Any] | None = None
) -> dict[str, Any]:
    tokenizer = {"post_processor": post_processor}
    added = [special(7, "<|begin|>"), special(8, "<|end|>"), special(9, "<|turn|>")]
    found = special_metadata(tokenizer, tokenizer_config, config or {}, added)
    return {key.removeprefix("tokenizer.ggml."): value.data for key, value in found.items()}


def test_a_template_that_starts_with_bos_adds_it() -> None:
    found = values(LLAMA3_TEMPLATE, {"bos_token": "<|begin|>", "eos_token": {"content": "<|end|>"}})
    assert found == {
        "bos_token_id": 7, "eos_token_id": 8, "add_bos_token": True, "add_eos_token": False, "add_sep_token": False,
    }  # fmt: skip


def test_the_config_says_what_no_template_says() -> None:
    assert values(None, {"add_bos_token": True, "bos_token": "<|begin|>"}) == {"bos_token_id": 7, "add_bos_token": True}
    assert values({"type": "ByteLevel"}, {"add_bos_token": True})["add_bos_token"] is False
    assert values(None, {}, {"bos_token_id": 3, "eos_token_id": [4, 5]}) == {"bos_token_id": 3}


def test_a_template_that_ends_with_another_token_makes_the_stated_one_end_of_turn() -> None:
    template = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<|end|>"}}],
    }
    found = values(template, {"eos_token": "<|turn|>"})
    assert found == {"eos_token_id": 8, "eot_token_id": 9, "add_eos_token": True}


def test_templates_come_from_the_config_first(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("from file", encoding="utf-8")
    stated = template_metadata(tmp_path, {"chat_template": "from config"})
    assert stated["tokenizer.chat_template"].data == "from config"
    assert template_metadata(tmp_path, {})["tokenizer.chat_template"].data == "from file"
    more = tmp_path / "additional_chat_templates"
    more.mkdir()
    (more / "tool use.jinja").write_text("tools", encoding="utf-8")
    named = {key: value.data for key, value in template_metadata(tmp_path, {}).items()}
    assert named == {
        "tokenizer.chat_template": "from file",
        "tokenizer.chat_template.tool_use": "tools",
        "tokenizer.chat_templates": ["tool_use"],
    }


def test_a_list_of_templates_is_kept(tmp_path: Path) -> None:
    entries = [{"name": "default", "template": "d"}, {"name": "rag", "template": "r"}, {"name": 3}]
    named = {key: value.data for key, value in template_metadata(tmp_path, {"chat_template": entries}).items()}
    assert named == {
        "tokenizer.chat_template": "d", "tokenizer.chat_template.rag": "r", "tokenizer.chat_templates": ["rag"],
    }  # fmt: skip


def test_no_template_is_no_value(tmp_path: Path) -> None:
    assert template_metadata(tmp_path, {}) == {}


def test_there_are_three_hundred_composed_probe_texts() -> None:
    texts = probe_texts(["<|end|>"])
    assert len(texts) == len(set(texts)) >= 300
    assert any("<|end|>" in text for text in texts)


def test_loading_gives_all_values(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path)
    loaded = load_tokenizer(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")), 272)
    metadata = loaded.metadata("smollm")
    assert metadata["tokenizer.ggml.model"].data == "gpt2"
    assert metadata["tokenizer.ggml.bos_token_id"].data == 0
    assert len(metadata["tokenizer.ggml.tokens"].data) == loaded.n_tokens == 272  # type: ignore[arg-type]
    assert loaded.special_tokens == ("<|start|>", "<|end|>")
    assert "tokenizer.ggml.pre" not in loaded.metadata(None)
