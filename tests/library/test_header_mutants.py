"""Damaged headers by the hundred: each is read or refused, quickly, and nothing else ever happens."""

import random
import time

import pytest

from app.core.bytesource import FileSource
from app.core.errors import BadFile
from app.library.facts_reader import facts_of
from tests.support.counts import counted
from tests.support.gguf_builder import MemorySource, small_model
from tests.support.models import smollm2_gguf

LIMIT_S = 2.0


def refusal(source: MemorySource) -> BadFile | None:
    """Return the error that reading ends with, if it does."""
    started = time.perf_counter()
    try:
        facts_of(source)
        error = None
    except BadFile as refused:
        error = refused
    assert time.perf_counter() - started < LIMIT_S
    return error


def read_or_refuse(data: bytes) -> bool:
    error = refusal(MemorySource(data))
    assert error is None or ("test.gguf" in error.message and error.hint)
    return error is None


class LongSource(MemorySource):
    """The head of a file that pretends to be whole."""

    @property
    def size_bytes(self) -> int:
        return 98_362_432


@pytest.fixture(scope="module")
def model() -> bytes:
    data = small_model()
    assert read_or_refuse(data)
    return data


@pytest.mark.soak
def test_mutants(model: bytes) -> None:
    dice = random.Random(20261122)
    header_end = len(model) - 12800 - 256
    outcomes = []
    for _ in range(counted(2000)):
        mutant = bytearray(model)
        for _ in range(dice.choice((1, 1, 2, 8))):
            mutant[dice.randrange(header_end)] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
        outcomes.append(read_or_refuse(bytes(mutant)))
    assert 0 < sum(outcomes) < len(outcomes)


@pytest.mark.soak
def test_truncations(model: bytes) -> None:
    dice = random.Random(20261122)
    for _ in range(counted(500)):
        assert not read_or_refuse(model[: dice.randrange(len(model))])


@pytest.mark.soak
def test_mutants_of_a_real_header() -> None:
    with FileSource(smollm2_gguf()) as source:
        head = source.read(0, 1_790_000)
    dice = random.Random(1)
    for _ in range(counted(200)):
        mutant = bytearray(head)
        mutant[dice.randrange(len(head))] = dice.randrange(256)
        mutant[dice.randrange(4, 400)] = dice.randrange(256)
        error = refusal(LongSource(bytes(mutant)))
        assert error is None or error.hint
