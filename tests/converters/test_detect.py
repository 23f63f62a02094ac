"""The pre-tokenizer is found by comparing ids: small vocabularies, the split patterns of well-known models."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from converters.errors import BadCheckpoint, EngineFailed, UnsupportedModel
from converters.events import Cancel
from converters.helper import Helper
from converters.tokenizer import bpe
from converters.tokenizer.loaded import LoadedTokenizer
from converters.tokenizer.pre_tokenizers import MAX_CANDIDATES, STYLES, TABLE, ordered
from converters.tokenizer.probe_texts import probe_texts
from tests.support.byte_level import KNOWN, LLAMA3, QWEN2, STARCODER, Known, byte_level, splits, trained
from tests.support.byte_level import write_tokenizer_json as write
from tests.support.detection import CountingHelper, find

FEW_TRIES = 3


def learnable(known: Known) -> list[str]:
    """Texts to learn merges from; for a model whose splits llama.cpp gets wrong in some scripts, only the others."""
    texts = list(probe_texts())
    if known.exact:
        return texts
    marked = [t for t in texts if any(unicodedata.category(c)[0] == "M" for c in t)]
    capitals = [t for t in texts if t.isupper() and not t.isascii()]
    return [t for t in texts if t not in {*marked, *capitals}]


@pytest.fixture(scope="module")
def shared() -> Iterator[Helper]:
    with Helper(Cancel()) as helper:
        with pytest.raises(EngineFailed, match="cannot load"):  # starts it before the first test counts its children
            helper.ask(do="tokenize", model="no such file", pre=None, texts=[])
        yield helper


@pytest.fixture
def helper(shared: Helper) -> CountingHelper:
    return CountingHelper(shared)


def tokenizer_of(folder: Path, known: Known, texts: Sequence[str] | None = None, **model: Any) -> LoadedTokenizer:
    document = trained(known, learnable(known) if texts is None else texts)
    document["model"] |= model
    write(folder, document, known.cleans)
    n_vocab = len(document["model"]["vocab"])
    loaded = bpe.load(folder, {}, n_vocab, known.preferred)
    assert loaded is not None
    return loaded


@pytest.mark.native
@pytest.mark.parametrize("name", KNOWN)
def test_a_known_way_of_splitting_is_found_in_few_tries(tmp_path: Path, helper: CountingHelper, name: str) -> None:
    loaded = tokenizer_of(tmp_path, KNOWN[name])
    parity = find(tmp_path, loaded, helper)
    assert parity.equal == parity.checked >= 300, parity.first_difference
    assert parity.pre == name
    assert len(helper.tried) <= FEW_TRIES


@pytest.mark.native
@pytest.mark.parametrize(
    ("name", "wrong"),
    [("llama-bpe", "qwen2"), ("llama-bpe", "gpt-2"), ("qwen2", "smollm"), ("qwen35", "qwen2"), ("gpt-4o", "tekken"),
     ("deepseek-v3", "gpt-4o"), ("kimi-k2", "tekken"), ("smollm", "qwen2"), ("gpt-2", "smollm"), ("falcon", "gpt-2"),
     ("deepseek-llm", "deepseek-v3")],
)  # fmt: skip
def test_another_way_of_splitting_gives_other_ids(
    tmp_path: Path, helper: CountingHelper, name: str, wrong: str
) -> None:
    parity = find(tmp_path, tokenizer_of(tmp_path, KNOWN[name]), helper, (wrong,))
    assert 0 < parity.equal < parity.checked


@pytest.mark.native
@pytest.mark.parametrize("name", ["tekken", "kimi-k2"])
def test_scripts_that_llama_cpp_splits_otherwise_are_told(tmp_path: Path, helper: CountingHelper, name: str) -> None:
    """llama.cpp cuts these models' words before combining marks: Hindi, Bengali, Tamil and others get other ids."""
    parity = find(tmp_path, tokenizer_of(tmp_path, KNOWN[name], texts=probe_texts()), helper, (name,))
    assert 0.8 * parity.checked < parity.equal < parity.checked
    assert any(unicodedata.category(letter)[0] == "M" for letter in str(parity.first_difference))


@pytest.mark.native
def test_a_name_that_is_never_worse_goes_before_the_customary_one(tmp_path: Path, helper: CountingHelper) -> None:
    loaded = tokenizer_of(tmp_path, KNOWN["gpt-4o"], texts=probe_texts())
    customary = find(tmp_path, loaded, helper, ("gpt-4o",))
    better = find(tmp_path, loaded, helper)
    assert better.pre == "granite-embed-multi-97m"
    assert customary.equal < better.equal


@pytest.mark.native
@pytest.mark.parametrize(
    "known",
    [
        Known(byte_level(use_regex=True, add_prefix_space=True)),
        Known(QWEN2, normalizer={"type": "Lowercase"}),
        Known(QWEN2, normalizer={"type": "NFKC"}),
        Known(QWEN2, normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "_"}),
    ],
)
def test_an_option_that_llama_cpp_has_not_is_told(tmp_path: Path, helper: CountingHelper, known: Known) -> None:
    loaded = tokenizer_of(tmp_path, known)
    parity = find(tmp_path, loaded, helper, loaded.candidates[:2])
    assert parity.equal < parity.checked
    assert parity.first_difference


@pytest.mark.native
def test_ignored_merges_are_seen(tmp_path: Path, helper: CountingHelper) -> None:
    """Without the merges that lead to it, a whole word is a token only where merges are ignored."""
    known = KNOWN["llama-bpe"]
    document = trained(known, list(probe_texts()))
    merges = [pair for pair in document["model"]["merges"] if "".join(pair) != "word"]
    loaded = tokenizer_of(tmp_path, known, merges=merges)
    assert find(tmp_path, loaded, helper).pre == "llama-bpe"
    parity = find(tmp_path, loaded, helper, ("smaug-bpe",))
    assert parity.equal < parity.checked


@pytest.mark.native
def test_wrong_candidates_are_passed_over(tmp_path: Path) -> None:
    loaded = tokenizer_of(tmp_path, KNOWN["smollm"])
    candidates = ("llama-bpe", "whitespace", "no-such-name", "smollm", "gpt-2")  # the second ends the process
    with Helper(Cancel()) as helper:
        parity = find(tmp_path, loaded, CountingHelper(helper), candidates)
    assert (parity.pre, parity.equal) == ("smollm", parity.checked)


@pytest.mark.native
def test_the_nearest_is_taken_with_its_first_difference(tmp_path: Path, helper: CountingHelper) -> None:
    loaded = tokenizer_of(tmp_path, KNOWN["smollm"])
    parity = find(tmp_path, loaded, helper, ("llama-bpe", "gpt-2"))
    assert 0 < parity.equal < parity.checked
    assert parity.first_difference


@pytest.mark.native
def test_nothing_that_loads_is_an_error(tmp_path: Path, helper: CountingHelper) -> None:
    loaded = tokenizer_of(tmp_path, KNOWN["smollm"])
    with pytest.raises(UnsupportedModel, match="no-such-name"):
        find(tmp_path, loaded, helper, ("no-such-name",))


@pytest.mark.native
def test_a_helper_that_died_is_started_again() -> None:
    with Helper(Cancel()) as helper:
        for _ in range(2):
            with pytest.raises(EngineFailed, match="ended"):
                helper.ask(do="nothing that it knows")


def test_a_missing_library_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Helper(Cancel()) as helper, pytest.raises(EngineFailed, match="cannot be loaded") as caught:
        helper.ask(do="tokenize", model="x", pre=None, texts=[])
    assert "make run" in caught.value.hint


@pytest.mark.parametrize("name", KNOWN)
def test_the_pattern_alone_names_it(name: str) -> None:
    """A dry run has nothing else to go by."""
    known = KNOWN[name]
    tokenizer = {"pre_tokenizer": known.pre_tokenizer, "model": {"ignore_merges": known.ignore_merges}}
    assert ordered(tokenizer, known.cleans, known.preferred)[0] == name


def test_a_preferred_name_waits_for_those_that_fit_better() -> None:
    assert ordered({"pre_tokenizer": STARCODER}, False, ("refact", "llama-bpe"))[0] == "refact"
    assert ordered({"pre_tokenizer": LLAMA3}, False, ("refact", "llama-bpe"))[0] == "llama-bpe"


def test_an_unknown_way_of_splitting_gets_the_nearest() -> None:
    names = ordered({"pre_tokenizer": splits(r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+")}, False)
    assert len(names) == len(set(names)) == MAX_CANDIDATES
    assert ordered({"pre_tokenizer": None}, False)[0] in {entry.name for entry in TABLE}


def test_the_table_names_each_once_and_all_its_styles() -> None:
    names = [entry.name for entry in TABLE]
    assert len(set(names)) == len(names) > 60
    assert {entry.style for entry in TABLE} == set(STYLES)


def damaged(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = trained(KNOWN["qwen2"], probe_texts()[:20], 300)
    change(document)
    return document


def load_and_use(folder: Path) -> None:
    """Some faults only the tokenizers library finds, when it is asked."""
    loaded = bpe.load(folder, {}, 300)
    assert loaded is not None
    loaded.reference.encode(["a text"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["model"]["merges"].append(["zz", "qq"]), "cannot be used"),
        (lambda d: d["model"]["merges"].append(["a"]), "is no merge"),
        (lambda d: d["model"]["merges"].append(7), "is no merge"),
        (lambda d: d["model"].update(merges=None), "has no merges"),
        (lambda d: d["model"]["vocab"].update(a=-7), "no usable vocab"),
        (lambda d: d["model"]["vocab"].update(a=10**30), "ids reach 1000"),
        (lambda d: d["model"]["vocab"].update(new=299), "gives id 299 to both"),
        (lambda d: d["model"]["vocab"].update(new=4_000_000_000), "ids reach 4000000000"),
        (lambda d: d["pre_tokenizer"]["pretokenizers"][0].update(pattern={"Regex": "(("}), "cannot be used"),
        (lambda d: d["added_tokens"].append({**d["added_tokens"][0], "id": 299}), "both written '<|end|>'"),
    ],
)
def test_a_damaged_tokenizer_json_is_refused_in_one_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    write(tmp_path, damaged(change))
    with pytest.raises(BadCheckpoint, match=r"tokenizer") as caught:
        load_and_use(tmp_path)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300
