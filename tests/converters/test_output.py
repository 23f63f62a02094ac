"""Parts and their journal under attack: damaged records, names that move, lost writes, errors before the start."""

import errno
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from converters import output
from converters.errors import Busy, NotEnoughDisk, Unreadable
from converters.flusher import flushed_in_the_background
from converters.journal import Journal
from converters.output import PartFile, part_files
from converters.plan import OutputFile
from converters.quant_types import FILE_TYPES
from tests.support.waiting import wait_until

MARK_AS = "fingerprint"


def plan_of(path: Path) -> OutputFile:
    return OutputFile(path, FILE_TYPES["Q8_0"], b"GGUF" * 8, (), 4096)


def begin(plans: list[OutputFile], blocks: int) -> None:
    """Leave parts with some blocks done, as a conversion does whose checkpoint went away."""
    with suppress(Unreadable), part_files(plans, MARK_AS) as parts:
        for block in range(blocks):
            parts.journal.add(block)
        raise Unreadable("gone")


def test_a_damaged_journal_claims_no_block_that_was_not_done(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, MARK_AS)
    done = set(range(0, 200, 2))
    for block in done:
        journal.add(block)
    journal.mark_flushed(50)
    journal.close()
    sound, chance = path.read_bytes(), random.Random(3)
    for _ in range(200):
        spoiled = bytearray(sound)
        spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
        path.write_bytes(spoiled[: chance.choice((len(spoiled), chance.randrange(len(spoiled))))])
        again = Journal(path, MARK_AS)
        again.close()
        assert again.done <= done
        assert not again.complete


def test_a_part_that_its_holder_renames_meanwhile_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first conversion ends between the second's opening and locking: the finished file must not be written to."""
    plan = plan_of(tmp_path / "a.gguf")
    first = PartFile(plan)
    first.allocate()
    lock = output._lock

    def rename_first(descriptor: int) -> None:
        monkeypatch.setattr(output, "_lock", lock)
        first.finish()
        lock(descriptor)

    monkeypatch.setattr(output, "_lock", rename_first)
    second = PartFile(plan)
    second.write(0, b"other")
    assert plan.path.read_bytes().startswith(plan.header)
    assert second.path.read_bytes() == b"other"
    second.discard()


def test_a_lost_write_is_told_though_the_next_flush_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system tells a lost page once; what the flusher was told must fail the conversion, and leave no part."""
    real = os.fdatasync
    failed: list[int] = []

    def lose(descriptor: int) -> None:
        if not failed:
            failed.append(descriptor)
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", lose)
    monkeypatch.setattr("converters.flusher.INTERVAL_S", 0.001)
    with pytest.raises(NotEnoughDisk, match="Input/output error"):
        flush_until_lost([plan_of(tmp_path / "a.gguf")], failed)
    assert list(tmp_path.iterdir()) == []


def flush_until_lost(plans: list[OutputFile], failed: list[int]) -> None:
    with part_files(plans, MARK_AS) as parts:
        parts.journal.add(1)
        with flushed_in_the_background(parts):
            wait_until(lambda: bool(failed), 10, "the flush that fails")


def test_a_second_part_that_is_busy_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    plans = [plan_of(tmp_path / "a.gguf"), plan_of(tmp_path / "b.gguf")]
    begin(plans, 3)
    holder = PartFile(plans[1])
    with pytest.raises(Busy), part_files(plans, MARK_AS):
        pass
    holder.keep()
    with part_files(plans, MARK_AS) as parts:
        assert parts.journal.done == {0, 1, 2}


def test_a_disk_too_full_for_the_journal_leaves_what_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [plan_of(tmp_path / "a.gguf")]
    begin(plans, 3)
    before = sorted(path.name for path in tmp_path.iterdir())
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotEnoughDisk), part_files(plans, MARK_AS):
        pass
    monkeypatch.setattr(os, "fsync", real)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    with part_files(plans, MARK_AS) as parts:
        assert parts.journal.done == {0, 1, 2}


def test_a_link_in_the_place_of_a_part_is_not_followed(tmp_path: Path) -> None:
    victim, plan = tmp_path / "victim", plan_of(tmp_path / "a.gguf")
    victim.write_text("precious", encoding="utf-8")
    (tmp_path / "a.gguf.part").symlink_to(victim)
    with pytest.raises(NotEnoughDisk, match=r"a\.gguf\.part"), part_files([plan], MARK_AS):
        pass
    assert victim.read_text(encoding="utf-8") == "precious"


def test_a_file_that_cannot_be_allocated_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, start: int, length: int) -> None:
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(NotEnoughDisk, match="File too large"), part_files([plan_of(tmp_path / "a.gguf")], MARK_AS):
        pass
    assert list(tmp_path.iterdir()) == []
