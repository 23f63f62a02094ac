"""What a conversion is told to do before it begins, against what it really did; what a stopped one leaves."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.actions.context import Pronk
from app.actions.conversion_plan import (
    ConversionPlan,
    foretell_verdicts,
    plan_conversion,
    with_disk_of_now,
)
from app.actions.convert import (
    ConvertRequest,
    convert,
    discard_conversion,
    journal_path,
    part_path,
    unfinished_conversions,
)
from app.actions.plan import plan_here, quick_plan
from app.core.errors import BadFile, Busy
from app.core.paths import Home
from app.library.facts_reader import foretold_facts, read_facts
from app.plan.values import PlanRequest
from tests.support.checkpoints import tiny_checkpoint
from tests.support.machines import machine

TYPES = ("Q8_0", "F16")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> ConversionPlan:
    """The plan of a conversion that was then carried out."""
    folder = tmp_path_factory.mktemp("conversion")
    pronk = Pronk(Home(folder / "home").prepare())
    source = str(tiny_checkpoint(folder / "Tiny", 2, num_hidden_layers=12, hidden_size=512, intermediate_size=2048))
    plan = plan_conversion(pronk, source, TYPES)
    convert(pronk, ConvertRequest(source, TYPES), lambda _: None)
    return plan


@pytest.mark.native
def test_the_plan_tells_the_source_and_every_byte(converted: ConversionPlan) -> None:
    assert (converted.hf_class, converted.architecture) == ("LlamaForCausalLM", "llama")
    assert converted.source_files == 2
    assert converted.source_bytes == 2 * converted.parameters
    assert [file.path.stat().st_size for file in converted.files] == [file.size_bytes for file in converted.files]
    assert converted.needed_bytes(["F16"]) == converted.files[1].size_bytes
    assert converted.free_bytes > 0


@pytest.mark.native
def test_foretold_facts_are_those_of_the_file(converted: ConversionPlan) -> None:
    for file in converted.files:
        real, foretold = read_facts(file.path), file.facts
        assert foretold is not None
        for name in ("size_bytes", "architecture", "name", "parameters", "file_type", "n_layers", "context_length"):
            assert getattr(foretold, name) == getattr(real, name)
        assert foretold.n_vocab == real.n_vocab == 272
        shapes = [(t.name, t.shape, t.ggml_type, t.size_bytes) for t in real.tensors]
        assert [(t.name, t.shape, t.ggml_type, t.size_bytes) for t in foretold.tensors] == shapes
        on_gpu = machine(0.6)
        same = replace(quick_plan(foretold, on_gpu), elapsed_ms=0)
        assert same == replace(quick_plan(real, on_gpu), elapsed_ms=0)


@pytest.mark.native
@pytest.mark.parametrize(
    ("gpu_mb", "ram_gb", "verdicts"),
    [
        (4000, 8, ("gpu", "gpu")),
        (565, 8, ("gpu", "partial")),
        (200, 8, ("cpu", "cpu")),
        (1, 2, ("too_big", "too_big")),
    ],
)
def test_the_verdict_is_the_one_of_the_file_once_it_is_made(
    converted: ConversionPlan, home: Home, gpu_mb: int, ram_gb: int, verdicts: tuple[str, str]
) -> None:
    pronk = Pronk(home)
    for file, expected in zip(converted.files, verdicts, strict=True):
        gpu = (("RTX 3060", gpu_mb * 10**6),)
        devices, exact = plan_here(pronk, read_facts(file.path), PlanRequest(), gpu, ram_gb * 10**9)
        foretold = foretell_verdicts(converted, devices)[file.type]
        assert foretold.verdict == exact.verdict == expected
        assert foretold.reasons
        assert bool(foretold.tokens_per_s) == (expected != "too_big")
    pronk.close()


def test_a_type_that_is_not_known_is_refused_by_name() -> None:
    entry = {"name": "a.weight", "type": "Q9_Z", "shape": [2, 32]}
    with pytest.raises(BadFile, match="Q9_Z"):
        foretold_facts("x.gguf", 1, "Q9_Z", {"general.architecture": "llama"}, 10, [entry])


def stopped(home: Home, *names: str) -> ConvertRequest:
    """A conversion that fails at once, for its source is gone, with parts of an earlier try on the disk."""
    files = tuple(home.models / name for name in names or ("Tiny-Q8_0.gguf",))
    types = tuple(file.stem.rpartition("-")[2] for file in files)
    request = ConvertRequest(str(home.root / "gone"), types, files=files)
    for file in files:
        part_path(file).write_bytes(b"x" * 1000)
        journal_path(file).write_text("{}")
    with pytest.raises(BadFile):
        convert(Pronk(home), request, lambda _: None)
    return request


def test_a_stopped_conversion_is_found_and_can_be_discarded(home: Home) -> None:
    pronk = Pronk(home)
    assert unfinished_conversions(pronk) == ()
    request, other = stopped(home), stopped(home, "Other-Q8_0.gguf")
    assert set(unfinished_conversions(pronk)) == {request, other}
    discard_conversion(pronk, request)
    assert unfinished_conversions(pronk) == (other,)
    assert {path.name for path in home.models.iterdir()} == {"Other-Q8_0.gguf.part", "Other-Q8_0.gguf.journal"}
    part_path(other.files[0]).unlink()
    assert unfinished_conversions(pronk) == ()


def test_other_types_of_the_same_checkpoint_leave_nothing_of_the_stopped_ones(home: Home) -> None:
    pronk = Pronk(home)
    both, other = stopped(home, "Tiny-Q8_0.gguf", "Tiny-F16.gguf"), stopped(home, "Other-Q8_0.gguf")
    one = stopped(home, "Tiny-F16.gguf")
    assert set(unfinished_conversions(pronk)) == {one, other}
    assert not part_path(both.files[0]).exists()
    assert not journal_path(both.files[0]).exists()
    assert part_path(one.files[0]).exists()


def test_a_damaged_note_costs_only_the_offer(home: Home) -> None:
    stopped(home)
    (note,) = (home.cache / "conversions").iterdir()
    note.write_text("{")
    assert unfinished_conversions(Pronk(home)) == ()


def test_a_running_conversion_is_not_discarded(home: Home) -> None:
    fcntl = pytest.importorskip("fcntl")
    request = stopped(home)
    part = part_path(request.files[0])
    with part.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Busy, match=r"Tiny-Q8_0\.gguf"):
            discard_conversion(Pronk(home), request)
    assert part.exists()


@pytest.mark.native
def test_a_finished_conversion_leaves_no_note(home: Home, tmp_path: Path) -> None:
    pronk = Pronk(home)
    source = str(tiny_checkpoint(tmp_path / "Tiny"))
    plan = plan_conversion(pronk, source, ("Q8_0",))
    assert not plan.files[0].exists
    convert(pronk, ConvertRequest(source, ("Q8_0",), files=plan.paths(["Q8_0"])), lambda _: None)
    assert list((home.cache / "conversions").iterdir()) == []
    assert with_disk_of_now(plan).files[0].exists


@pytest.mark.native
def test_a_part_that_is_there_counts_as_disk(converted: ConversionPlan) -> None:
    file = converted.files[0]
    part_path(file.path).write_bytes(b"x" * 1_000_000)
    now = with_disk_of_now(converted)
    assert file.size_bytes - now.needed_bytes(["Q8_0"]) == pytest.approx(1_000_000, abs=8192)
    part_path(file.path).write_bytes(b"x" * (file.size_bytes + 1000))
    assert with_disk_of_now(converted).needed_bytes(["Q8_0"]) == 0
    part_path(file.path).unlink()
