"""Spoiled tokenizer files of every kind end in one clear line, or in a tokenizer; never in a bug."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converters.errors import BadCheckpoint, ConvertError
from converters.gguf_header import encode_header
from converters.tokenizer.load import load_tokenizer
from tests.support.counts import counted

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tokenizers"
ODD = [None, 5, -1, 1.5, "x", "", [], {}, True, [1], {"a": 1}, [[]], float("nan"), 1 << 70, "\ud800", [None, {}]]
N_VOCAB = 512


def refusal(folder: Path, kind: str) -> str:
    """Load and encode; give the message of the refusal, none if all went well."""
    try:
        loaded = load_tokenizer(folder, {}, N_VOCAB, kinds=(kind,))
        encode_header(loaded.metadata(loaded.candidates[0]), ())
        loaded.reference.encode(["a b", "\u2603\x01"])
    except ConvertError as error:
        return error.message
    return ""


def assert_some_refused(messages: set[str]) -> None:
    assert "" in messages
    assert len(messages) > 1
    assert not [message for message in messages if "\n" in message]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of every value inside, the middle of long lists left out."""
    yield path
    inner = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    for key, part in inner[:20] + inner[20:][-20:]:
        yield from places(part, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    return value


@pytest.mark.parametrize("kind", ["sentencepiece", "spm_bpe", "gemma4", "bpe"])
def test_spoiled_json_is_told(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")
    shutil.copytree(FIXTURES / {"sentencepiece": "spm"}.get(kind, kind), tmp_path, dirs_exist_ok=True)
    if kind == "sentencepiece":
        shutil.copy(FIXTURES / "spm_bpe" / "tokenizer.json", tmp_path)
    assert refusal(tmp_path, kind) == ""
    rng, messages = random.Random(kind), set()
    for path in sorted(tmp_path.glob("*.json")):
        sound = path.read_text(encoding="utf-8")
        spots = list(places(json.loads(sound)))
        for _ in range(counted(500)):
            spoiled = put(json.loads(sound), rng.choice(spots), rng.choice(ODD))
            path.write_text(json.dumps(spoiled), encoding="utf-8")
            messages.add(refusal(tmp_path, kind))
        path.write_text(sound, encoding="utf-8")
    assert_some_refused(messages)


def test_spoiled_bytes_are_told(tmp_path: Path) -> None:
    sound = (FIXTURES / "spm" / "tokenizer.model").read_bytes()
    rng, messages = random.Random(1), set()
    for _ in range(counted(1000)):
        spoiled = bytearray(sound[: rng.choice((len(sound), rng.randrange(len(sound))))])
        for _ in range(rng.randrange(3)):
            if spoiled:
                spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
        (tmp_path / "tokenizer.model").write_bytes(spoiled)
        messages.add(refusal(tmp_path, "sentencepiece"))
    assert_some_refused(messages)


def test_no_tokenizer_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"neither tokenizer\.json nor tokenizer\.model"):
        load_tokenizer(tmp_path, {}, N_VOCAB)
