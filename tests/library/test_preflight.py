"""Every recipe of a damaged file gets an answer: ok, a named error, or that llama.cpp crashed on it."""

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from app.core.errors import AppError
from app.library import preflight
from app.library.facts_reader import read_facts
from app.library.preflight import Preflight, preflight_file, try_in_child
from app.library.vocabulary import check_vocabulary
from tests.support.counts import counted
from tests.support.handcrafted import handcrafted
from tests.support.header_models import all_models
from tests.support.malformed import Recipe, all_recipes
from tests.support.malformed_base import Parts, bpe_model, spm_model
from tests.support.models import gemma3_gguf, smollm2_gguf
from tests.support.mutants import byte_mutants, truncations
from tests.support.whole_headers import write_whole_header

pytestmark = pytest.mark.native

SLACK = 10  # the limits hold on a quiet machine; this one may be busy
RECIPES = all_recipes()
ABORTS = [recipe for recipe in RECIPES if recipe.aborts]
SOME = random.Random(20261122).sample(RECIPES, counted(len(RECIPES)))
MEMORY_LIMIT_BYTES = 300 << 20
# llama.cpp's processor code cannot add it; graphics cards can
ONLY_ON_CARDS = ("a norm of F16",)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LIMIT_S", SLACK * preflight.LIMIT_S)


def judge(path: Path, log: Path) -> Preflight:
    """Read the facts, then try the file, as the action does."""
    try:
        read_facts(path)
    except AppError as error:
        return Preflight("refused", error.kind, error.message, error.hint)
    return preflight_file(path, log)


def check(result: Preflight, name: str) -> None:
    """An answer is one of three, in one line, named, and says what to do."""
    assert result.verdict in ("ok", "refused", "crashes"), f"{name}: {result}"
    if result.verdict == "ok":
        assert not result.message
        return
    assert result.kind in ("bad_file", "unsupported_model", "engine")
    assert result.hint
    assert len(result.message.splitlines()) == 1
    assert "Traceback" not in result.message + result.detail
    assert result.verdict == "refused" or "llama.cpp crashed on" in result.message


def ids(recipes: Sequence[Recipe]) -> list[str]:
    return [recipe.name for recipe in recipes]


@pytest.mark.soak
@pytest.mark.parametrize("recipe", SOME, ids=ids(SOME))
def test_every_recipe_gets_an_answer(recipe: Recipe, tmp_path: Path) -> None:
    result = judge(recipe.write(tmp_path), tmp_path / "log")
    check(result, recipe.name)
    assert not recipe.whole or result.verdict == "ok"


def test_there_are_recipes_enough() -> None:
    assert len(RECIPES) >= 124
    assert len(set(ids(RECIPES))) == len(RECIPES)
    assert len(handcrafted()) == 34


@pytest.mark.parametrize("recipe", ABORTS, ids=ids(ABORTS))
def test_known_aborts_are_refused_before_llama_cpp_sees_them(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "start_process", _no_child)
    result = judge(recipe.write(tmp_path), tmp_path / "log")
    check(result, recipe.name)
    assert result.verdict == "refused"


def _no_child(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a child was started")


@pytest.mark.soak
@pytest.mark.parametrize("recipe", SOME[:: 1 if counted(10) == 10 else 5], ids=lambda recipe: recipe.name)
def test_the_answer_is_what_the_engine_meets(recipe: Recipe, tmp_path: Path) -> None:
    """No false refusal, and nothing passed that ends the engine's process: weights loaded, tokens computed."""
    path = recipe.write(tmp_path)
    verdict = judge(path, tmp_path / "log").verdict
    done = decode_once(path)
    if verdict == "ok" and recipe.name not in ONLY_ON_CARDS:
        assert done.returncode == 0, done.stderr[-500:]
    elif verdict != "ok":
        assert done.returncode != 0 or "llama_decode said -1" in done.stdout, "a false refusal"
    assert not recipe.aborts or done.returncode not in (0, 3), "llama.cpp does not abort over it"


def decode_once(path: Path) -> "subprocess.CompletedProcess[str]":
    """Load the model and compute, in a process of its own; one that hangs counts as killed."""
    command = [sys.executable, "-m", "tests.support.decode_once", str(path)]
    quiet = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    try:
        return subprocess.run(command, capture_output=True, text=True, env=quiet, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -9, "", "it hung")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 1 + max(1, counted(5))))
def test_handcrafted_faults_in_other_surroundings(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "start_process", _no_child)
    for name, data, _ in handcrafted(seed):
        path = tmp_path / "handcrafted.gguf"
        path.write_bytes(data)
        result = judge(path, tmp_path / "log")
        check(result, name)
        assert result.verdict == "refused", name  # also what is right: no model is in it


@pytest.mark.soak
def test_mutants_and_truncations(tmp_path: Path) -> None:
    is_soak = counted(10) == 10
    for n, model in enumerate((bpe_model(), spm_model())):
        data, header_bytes = _built(model)
        mutants = list(byte_mutants(data, header_bytes, counted(1000) // (1 if is_soak else 5), seed=n))
        with ThreadPoolExecutor(2) as pool:
            verdicts = list(pool.map(lambda mutant: _judged(mutant, tmp_path), enumerate(mutants)))
            assert {"ok", "refused"} <= set(verdicts)
            short = list(pool.map(lambda cut: _judged(cut, tmp_path), enumerate(truncations(data, counted(250), n))))
            assert set(short) == {"refused"}


def _built(model: Parts) -> tuple[bytes, int]:
    data = model.build()
    return data, len(data) - len(model.data)


def _judged(numbered: tuple[int, bytes], folder: Path) -> str:
    number, data = numbered
    path = folder / f"{number}.gguf"
    path.write_bytes(data)
    result = judge(path, folder / f"{number}.log")
    path.unlink()
    check(result, f"mutant {number}")
    return result.verdict


@pytest.mark.parametrize("model", [smollm2_gguf, gemma3_gguf])
def test_real_models_pass_in_little_memory(model, tmp_path: Path) -> None:
    path = model()
    assert judge(path, tmp_path / "log") == Preflight("ok")
    program = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    child = [sys.executable, "-m", preflight.CHILD_MODULE, str(path)]
    done = subprocess.run([sys.executable, "-c", program, *child], capture_output=True, text=True, check=True)
    assert int(done.stdout) << 10 < MEMORY_LIMIT_BYTES


@pytest.mark.soak
def test_our_own_checks_refuse_no_model_of_any_architecture(tmp_path: Path) -> None:
    # GGML_ASSERT(hparams.n_expert > 0 && "n_expert must be > 0 for GLM4_MOE MoE layers")
    models = [model for model in all_models() if model.architecture != "glm4moe" or model.n_expert]
    for model in random.Random(1).sample(models, counted(len(models))):
        path = write_whole_header(model, tmp_path)
        read_facts(path)
        check_vocabulary(path)
        path.unlink()


def test_a_child_that_takes_too_long_is_ended_and_says_nothing_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "CHILD_MODULE", "tests.support.slow_child")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(preflight, "LIMIT_S", 0.3)
    result = try_in_child(tmp_path / "model.gguf", tmp_path / "log")
    assert result.verdict == "unknown"
    assert "model.gguf could not be checked within 0.3 s" in result.message
    assert result.error() is None


def test_a_child_that_does_not_get_far_says_nothing_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "CHILD_MODULE", "tests.support.no_such_child")
    result = try_in_child(tmp_path / "model.gguf", tmp_path / "log")
    assert (result.verdict, result.error()) == ("unknown", None)
    assert "could not be checked (exit status 1)" in result.message


def test_a_crash_names_the_signal_and_llama_cpps_last_words(tmp_path: Path) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.name == "SentencePiece without bytes")
    result = judge(recipe.write(tmp_path), tmp_path / "log")
    assert result.verdict == "crashes"
    assert "(signal 6 (SIGABRT): unordered_map::at)" in result.message
    assert not list(tmp_path.glob("core*"))
