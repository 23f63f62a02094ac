"""The engine's half of set-up: the user's choice of backend is kept, the right build is left alone."""

import json
from dataclasses import replace
from pathlib import Path

import engine
import pytest
import wheel_key
from environment import STAMP, Environment
from wheel_key import BuildFacts


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment's folder without anything in it, on a machine without wheels."""
    monkeypatch.delenv("PRONK_BACKEND", raising=False)
    monkeypatch.setenv("PRONK_WHEELS", str(tmp_path / "wheels"))
    monkeypatch.setattr(engine, "wheel_folders", lambda: [tmp_path / "wheels"])
    folder = tmp_path / ".venv"
    folder.mkdir()
    return Environment(folder)


def record(place: Environment, facts: BuildFacts) -> None:
    """Write down that an engine with these facts is installed."""
    steps = {engine.STEP: wheel_key.to_json(facts)}
    (place.folder / STAMP).write_text(json.dumps({"steps": steps, "installed": []}))


def test_backend_that_was_asked_for_once_stays(place: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.wanted_backend(place) == ""
    monkeypatch.setenv("PRONK_BACKEND", "cpu")
    machine = engine.look_at_machine(engine.wanted_backend(place))
    record(place, engine.facts(machine))
    engine.install(place, machine)
    monkeypatch.delenv("PRONK_BACKEND")
    assert engine.wanted_backend(place) == "cpu"
    monkeypatch.setenv("PRONK_BACKEND", "auto")
    assert engine.wanted_backend(place) == ""
    engine.install(place, replace(machine, wanted=""))
    monkeypatch.delenv("PRONK_BACKEND")
    assert engine.wanted_backend(place) == ""


def test_compiler_is_needed_only_for_a_build(place: Environment) -> None:
    machine = engine.look_at_machine("cpu")
    assert [piece.what for piece in engine.build_pieces(place, machine)] == ["a C++ compiler"]
    record(place, engine.facts(machine))
    assert engine.build_pieces(place, machine) == []


def test_vulkan_build_needs_its_tools(place: Environment) -> None:
    names = [piece.what for piece in engine.build_pieces(place, engine.look_at_machine("vulkan"))]
    assert names == ["a C++ compiler", "glslc", "Vulkan's headers"]


def test_record_of_another_build_is_not_the_right_one(place: Environment) -> None:
    machine = engine.look_at_machine("cpu")
    record(place, replace(engine.facts(machine), cpu_features=("sse",)))
    assert engine.build_pieces(place, machine) != []
