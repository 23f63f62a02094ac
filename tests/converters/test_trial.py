"""The trial of a finished file: the whole model answers 32 tokens, in little memory, and broken weights are found."""

import json
import mmap
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import gguf
import pytest

from converters.convert import Request, convert
from converters.errors import EngineFailed
from converters.events import Cancel, Silent
from converters.helper import Helper
from converters.mapped_pages import LIMIT_BYTES, can_limit, limited_mappings
from converters.trial import Greedy, greedy
from tests.support.checkpoints import tiny_checkpoint
from tests.support.convert_child import run
from tests.support.models import smollm2_gguf
from tests.support.waiting import wait_until

needs_linux = pytest.mark.skipif(not can_limit(), reason="mapped pages are let go of on Linux only")


class Recorder:
    """Stands for a model whose next token is the last one plus 1; its logits go bad with the token `last_good`."""

    def __init__(self, last_good: int = 1000) -> None:
        self.passes: list[tuple[list[int], int]] = []
        self._last_good = last_good

    def __call__(self, tokens: Sequence[int], n_outputs: int) -> list[int]:
        self.passes.append((list(tokens), n_outputs))
        return [token + 1 for token in takewhile(lambda token: token <= self._last_good, tokens[-n_outputs:])]


def test_tokens_follow_each_other() -> None:
    model = Recorder()
    assert greedy(model, [5, 7], 32, 60.0) == Greedy(32, 0)
    assert model.passes[0] == ([5, 7], 1)
    assert all(n_outputs == 1 for _, n_outputs in model.passes)
    assert [tokens[-1] for tokens, _ in model.passes] == list(range(7, 39))


def test_where_a_pass_takes_long_the_rest_comes_from_one() -> None:
    model = Recorder()
    assert greedy(model, [5, 7, 9], 8, 0.0) == Greedy(8, 7)
    assert model.passes == [([5, 7, 9], 1), ([10, 5, 7, 9, 5, 7, 9], 7)]


def test_it_ends_with_the_first_bad_logits() -> None:
    assert greedy(Recorder(last_good=9), [5, 7], 32, 60.0) == Greedy(3, 0)
    assert greedy(Recorder(last_good=0), [5, 7], 32, 60.0) == Greedy(0, 0)
    assert greedy(Recorder(last_good=7), [5, 7], 32, 0.0) == Greedy(1, 0)


@pytest.mark.native
@pytest.mark.parametrize(("most_s", "n_at_once"), [(60.0, 0), (0.0, 31)])
def test_a_whole_model_answers(most_s: float, n_at_once: int) -> None:
    with Helper(Cancel()) as helper:
        answer = helper.ask(do="try", model=str(smollm2_gguf()), n_tokens=32, n_threads=2, most_s=most_s)
    assert answer == {"greedy_tokens": 32, "at_once": n_at_once, "n_layers": 30}


class Breaker(Silent):
    """Writes ones over a part of the unfinished file when its check begins."""

    def __init__(self, path: Path, start: int, size_bytes: int) -> None:
        self._path, self._start, self._size_bytes = path, start, size_bytes

    def progress(self, phase: str, done_bytes: int, total_bytes: int, tensor: str) -> None:
        if phase == "check":
            with self._path.open("r+b") as file:
                file.seek(self._start)
                file.write(b"\xff" * self._size_bytes)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial") / "tiny"
    return tiny_checkpoint(folder, num_hidden_layers=3, hidden_size=256, intermediate_size=512)


@pytest.mark.native
def test_broken_tensors_are_found_and_no_file_is_left(tiny: Path, tmp_path: Path) -> None:
    """Bytes of ones are no number in F32, nor as the scales of a quantized block."""
    request = Request(tiny, ("Q4_K_M",), tmp_path / "tiny.gguf")
    told = convert(request, Cancel(), Silent())
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "tiny.gguf").tensors}
    (tmp_path / "tiny.gguf").unlink()
    assert told["self_check"] == {
        "n_tensors": len(tensors), "greedy_tokens": 32, "at_once": 0, "n_layers": 3, "note": "",
    }  # fmt: skip
    for name, n_bytes in (("output_norm.weight", 4), ("blk.1.ffn_up.weight", 144), ("blk.2.attn_q.weight", 144)):
        tensor = tensors[name]
        start = int(tensor.data_offset) + int(tensor.n_bytes) - n_bytes
        with pytest.raises(EngineFailed, match=re.escape(name)):
            convert(request, Cancel(), Breaker(tmp_path / "tiny.gguf.part", start, n_bytes))
        assert list(tmp_path.iterdir()) == []


@pytest.mark.native
def test_an_answer_without_sensible_numbers_is_told(tiny: Path, tmp_path: Path) -> None:
    """In F32, for the quantized products take what is no number for zero."""
    path = tmp_path / "tiny.gguf"
    convert(Request(tiny, ("F32",), path), Cancel(), Silent())
    (norm,) = [tensor for tensor in gguf.GGUFReader(path).tensors if tensor.name == "output_norm.weight"]
    Breaker(path, int(norm.data_offset), int(norm.n_bytes)).progress("check", 0, 0, "")
    with Helper(Cancel()) as helper:
        answer = helper.ask(do="try", model=str(path), n_tokens=32, n_threads=2, most_s=60.0)
    assert answer["greedy_tokens"] == 0


@pytest.mark.native
def test_without_a_trial_the_result_says_so(tiny: Path, tmp_path: Path) -> None:
    words = ("convert", tiny, "--type", "Q8_0", "--output", tmp_path / "tiny.gguf", "--trial", "never", "--json")
    check = json.loads(run(*words).stdout)["self_check"]
    assert (check["greedy_tokens"], check["note"]) == (0, "tiny.gguf: no trial answer was asked for.")


@needs_linux
def test_pages_are_let_go_of_and_nothing_is_lost(tmp_path: Path) -> None:
    path, size_bytes = tmp_path / "mapped", 3 * LIMIT_BYTES
    with path.open("wb") as file:
        file.write(b"first")
        file.truncate(size_bytes)
    with path.open("rb") as file, limited_mappings():
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        with mmap.mmap(file.fileno(), size_bytes, flags, mmap.PROT_READ) as mapped:
            wait_until(lambda: file_pages_bytes() < LIMIT_BYTES, what="the end of the file's pages")
            assert mapped[:5] == b"first"


def file_pages_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[2]) * mmap.PAGESIZE
