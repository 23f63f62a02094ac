"""The pre-tokenizer is found by comparing ids: real vocabulary, the split patterns of well-known models."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from converters.errors import EngineFailed, UnsupportedModel
from converters.events import Cancel
from converters.gguf_header import encode_header
from converters.helper import Helper
from converters.tokenizer.detect import Parity, detect
from converters.tokenizer.load import LoadedTokenizer, load_tokenizer
from converters.tokenizer.probe_texts import probe_texts
from converters.values import text, u32
from tests.support.checkpoints import SMOLLM2_PRE_TOKENIZER, write_tokenizer
from tests.support.gguf_file import read_gguf
from tests.support.models import smollm2_gguf

pytestmark = pytest.mark.native
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
)
CASED_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK = (
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
)


def splits(*patterns: str) -> dict[str, Any]:
    steps = [{"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False} for p in patterns]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"type": "Sequence", "pretokenizers": [*steps, byte_level]}


KNOWN = {
    "smollm": (SMOLLM2_PRE_TOKENIZER, False),
    "gpt-2": ({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, False),
    "llama-bpe": (splits(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + TAIL), True),
    "qwen2": (splits(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|" + TAIL), False),
    "tekken": (splits("|".join(CASED) + r"|\p{N}|" + CASED_TAIL), True),
    "gpt-4o": (splits("|".join(f"{half}{CONTRACTIONS}?" for half in CASED) + r"|\p{N}{1,3}|" + CASED_TAIL), False),
    "deepseek-v3": (splits(*DEEPSEEK), False),
}


@pytest.fixture(scope="module")
def vocabulary() -> dict[str, Any]:
    return read_gguf(smollm2_gguf()).metadata


def tokenizer_with(
    folder: Path, vocabulary: dict[str, Any], pre_tokenizer: Any, ignore_merges: bool
) -> LoadedTokenizer:
    """Give SmolLM2's tokens and merges another way of splitting."""
    tokens, types = vocabulary["tokenizer.ggml.tokens"], vocabulary["tokenizer.ggml.token_type"]
    control = [i for i, kind in enumerate(types) if kind == 3]
    write_tokenizer(folder, tokens, control, vocabulary["tokenizer.ggml.merges"])
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    document["pre_tokenizer"] = pre_tokenizer
    document["model"]["ignore_merges"] = ignore_merges
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"clean_up_tokenization_spaces": false}', encoding="utf-8")
    return load_tokenizer(folder, {}, len(tokens))


def find(folder: Path, loaded: LoadedTokenizer, candidates: Sequence[str]) -> Parity:
    numbers = {"block_count": 1, "context_length": 8, "embedding_length": 32, "feed_forward_length": 32,
               "attention.head_count": 1}  # fmt: skip
    metadata = {"general.architecture": text("llama")} | {f"llama.{key}": u32(n) for key, n in numbers.items()}
    (folder / "vocab.gguf").write_bytes(encode_header({**metadata, **loaded.metadata(None)}, ()))
    cancel = Cancel()
    with Helper(cancel) as helper:
        texts = probe_texts(loaded.special_tokens)
        return detect(folder / "vocab.gguf", candidates, texts, loaded.reference, helper, cancel)


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_way_of_splitting_is_found_at_once(tmp_path: Path, vocabulary: dict[str, Any], name: str) -> None:
    loaded = tokenizer_with(tmp_path, vocabulary, *KNOWN[name])
    assert loaded.candidates[0] == name
    parity = find(tmp_path, loaded, loaded.candidates[:1])
    assert parity.equal == parity.checked >= 300, parity.first_difference


def test_wrong_candidates_are_passed_over(tmp_path: Path, vocabulary: dict[str, Any]) -> None:
    loaded = tokenizer_with(tmp_path, vocabulary, *KNOWN["smollm"])
    parity = find(tmp_path, loaded, ("llama-bpe", "whitespace", "no-such-name", "smollm", "gpt-2"))
    assert (parity.pre, parity.equal) == ("smollm", parity.checked)


def test_the_nearest_is_taken_with_its_first_difference(tmp_path: Path, vocabulary: dict[str, Any]) -> None:
    loaded = tokenizer_with(tmp_path, vocabulary, *KNOWN["smollm"])
    parity = find(tmp_path, loaded, ("llama-bpe", "gpt-2"))
    assert 0 < parity.equal < parity.checked
    assert parity.first_difference


def test_nothing_that_loads_is_an_error(tmp_path: Path, vocabulary: dict[str, Any]) -> None:
    loaded = tokenizer_with(tmp_path, vocabulary, *KNOWN["smollm"])
    with pytest.raises(UnsupportedModel, match="no-such-name"):
        find(tmp_path, loaded, ("no-such-name",))


def test_a_helper_that_died_is_started_again(tmp_path: Path) -> None:
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
