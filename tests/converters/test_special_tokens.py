"""Special tokens where template and stated tokens disagree, as llama.cpp's SpecialVocab reads them."""

from typing import Any

import pytest

from converters.tokenizer.special import special_metadata

ADDED = [{"id": i, "content": content} for i, content in enumerate(("<s>", "</s>", "<turn>", "<sep>", "<pad>"))]
A, B = {"Sequence": {"id": "A"}}, {"Sequence": {"id": "B"}}


def special(content: Any) -> dict[str, Any]:
    return {"SpecialToken": {"id": content}}


def values(
    single: Any, stated: dict[str, Any], pair: Any = None, config: dict[str, Any] | None = None, n_vocab: int = 100
) -> dict[str, Any]:
    template = {"type": "TemplateProcessing", "single": single, "pair": pair}
    found = special_metadata({"post_processor": template}, stated, config or {}, ADDED, n_vocab)
    return {key.removeprefix("tokenizer.ggml."): value.data for key, value in found.items()}


def test_an_end_of_turn_is_only_what_a_template_displaces() -> None:
    stated = {"eos_token": "<turn>", "eot_token": "<pad>"}
    assert values([A], stated, config={"eot_token_id": 4}) == {"eos_token_id": 2}
    assert values([A, special("</s>")], stated) == {"eos_token_id": 1, "eot_token_id": 2, "add_eos_token": True}
    unstated = values([A, special("</s>")], {"bos_token": "<s>"}, config={"eot_token_id": 4})
    assert unstated == {"bos_token_id": 0, "eos_token_id": 1, "eot_token_id": 4, "add_eos_token": True}


def test_a_leading_token_that_is_not_bos_is_added_too() -> None:
    assert values([special("<turn>"), A], {"bos_token": "<s>"}) == {"bos_token_id": 0, "add_bos_token": True}
    kept = values([special("<turn>"), A], {"bos_token": "<s>", "cls_token": "<sep>"})
    assert kept == {"bos_token_id": 0, "add_bos_token": False}


def test_a_separator_between_the_texts_is_eos_if_none_is_stated() -> None:
    pair = [A, special("</s>"), B]
    assert values([A], {"eos_token": "</s>"}, pair) == {
        "eos_token_id": 1,
        "seperator_token_id": 1,
        "add_sep_token": True,
    }
    other = values([A], {"eos_token": "</s>", "sep_token": "<sep>"}, pair)
    assert (other["seperator_token_id"], other["add_sep_token"]) == (3, True)


def test_an_id_without_a_row_gives_way_to_the_next() -> None:
    assert values([A], {"pad_token": "<pad>"}, config={"pad_token_id": 1}, n_vocab=4) == {"padding_token_id": 1}
    assert values([A], {}, config={"pad_token_id": 4}, n_vocab=4) == {}


@pytest.mark.parametrize("odd", [5, "x", {"a": 1}, [7], [special(7), A], [{"SpecialToken": 3}, A], [special(["x"]), A]])
def test_a_senseless_template_says_nothing(odd: Any) -> None:
    assert values(odd, {"bos_token": "<s>"}, pair=odd)["bos_token_id"] == 0
