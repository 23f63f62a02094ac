"""docs/converting.md says what is so: classes, types, tokenizers, fields of results, differences on purpose."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from converters.convert import Request, convert, dry_run
from converters.events import Cancel, Silent
from converters.quant_types import FILE_TYPES
from converters.registry import FAMILIES
from tests.converters.test_goldens import DIFFERENCES
from tests.support.checkpoints import tiny_checkpoint

TEXT = (Path(__file__).parents[2] / "docs" / "converting.md").read_text(encoding="utf-8")


def table(first_cell: str) -> Iterator[list[str]]:
    """Give the rows of the table whose head begins with this cell."""
    lines = iter(TEXT.splitlines())
    assert any(line.startswith(f"| {first_cell} |") for line in lines), f"no table of {first_cell}"
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def words(cell: str) -> set[str]:
    """Give what a cell sets as code."""
    return set(re.findall(r"`([^`]+)`", cell))


def test_its_classes_are_those_of_the_registry() -> None:
    named = [(name, architectures) for _, classes, architectures, _ in table("models") for name in words(classes)]
    assert sorted(name for name, _ in named) == sorted(FAMILIES)
    assert [name for name, architectures in named if FAMILIES[name].ARCHITECTURE not in words(architectures)] == []


def test_its_types_are_those_that_can_be_asked_for() -> None:
    listed = re.search(r"\*\*File types\*\*: (.*?)\. Each", " ".join(TEXT.split()))
    assert listed
    assert set(listed[1].split(", ")) == set(FILE_TYPES)


def test_its_kinds_of_tokenizer_are_those_that_families_look_for() -> None:
    kinds = [kind for (cell, *_) in table("kind") for kind in words(cell)]
    assert sorted(kinds) == sorted({kind for family in FAMILIES.values() for kind in family.TOKENIZERS})


def test_it_tells_every_difference_with_its_reason() -> None:
    rows = {reason: keys for _, keys, reason in table("where")}
    assert set(rows) == set(DIFFERENCES.values())
    for (_, pattern), reason in DIFFERENCES.items():
        told = words(rows[reason])
        assert told
        assert [key for key in told if not any(re.fullmatch(pattern, name) for name in (key, f"tensor {key}"))] == []


@pytest.mark.native
def test_its_fields_are_those_of_the_results(tmp_path: Path) -> None:
    request = Request(tiny_checkpoint(tmp_path / "tiny"), ("Q8_0",), tmp_path / "tiny.gguf")
    planned, converted = dry_run(request, Cancel()), convert(request, Cancel(), Silent())
    for head, result in (("field of a conversion", converted), ("field of a dry run", planned)):
        assert {name for cell, _ in table(head) for name in words(cell)} == set(result)
    (files,) = (says for cell, says in table("field of a conversion") if cell == "`files`")
    assert words(files) == set(converted["files"][0])
    for field in ("tokenizer_parity", "self_check"):
        (says,) = (says for cell, says in table("field of a conversion") if cell == f"`{field}`")
        assert words(says) == set(converted[field])
