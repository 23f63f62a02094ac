"""The key of a built engine changes with everything that makes a build differ, and with nothing else."""

from dataclasses import replace

import pytest
import wheel_key
from backends import FLAGS, Backend, Nvcc
from wheel_key import BuildFacts

CPUINFO = """processor\t: 0
model name\t: Test CPU
flags\t\t: fpu sse sse2 {} avx2 fma hypervisor constant_tsc
bugs\t\t: spectre_v1
"""


@pytest.mark.parametrize(
    "change",
    [
        {"package": "tiny==1.1"},
        {"backend": "cuda"},
        {"cmake_flags": ("-DGGML_RPC=ON", "-DGGML_CUDA=ON")},
        {"compiler": "(Debian 13.1.0) 13.1.0"},
        {"settings": ("CXXFLAGS=-O1",)},
        {"cuda": ("13.0", "10de:2684")},
        {"cpu_features": ("avx", "avx2", "avx512f", "fma")},
        {"platform": "linux-x86_64-glibc-2.39"},
    ],
)
def test_key_changes_with_every_fact(facts: BuildFacts, change: dict[str, str]) -> None:
    changed = replace(facts, **change)
    assert changed.key() != facts.key()
    assert not facts.serves(changed)


def test_key_is_stable_and_readable(facts: BuildFacts) -> None:
    assert facts.key() == replace(facts).key()
    assert facts.key().startswith("tiny-1.0-cpu-")


def test_facts_survive_their_file(facts: BuildFacts) -> None:
    assert wheel_key.from_json(wheel_key.to_json(facts)) == facts


@pytest.mark.parametrize("text", ["", "{", "[]", '{"package": "x"}', "3"])
def test_unreadable_facts_are_none(text: str) -> None:
    assert wheel_key.from_json(text) is None


def test_without_a_compiler_any_compiler_s_wheel_serves(facts: BuildFacts) -> None:
    bare = replace(facts, compiler="")
    assert facts.serves(bare)
    assert not facts.serves(replace(bare, cpu_features=("avx",)))
    assert not bare.serves(facts)


def test_cpu_features_are_instruction_sets_only() -> None:
    assert wheel_key.features_of(CPUINFO.format("avx")) == ("avx", "avx2", "fma", "sse", "sse2")
    assert wheel_key.features_of(CPUINFO.format("avx nonstop_tsc ibrs")) == wheel_key.features_of(CPUINFO.format("avx"))
    assert wheel_key.features_of(CPUINFO.format("avx avx512_bf16")) != wheel_key.features_of(CPUINFO.format("avx"))


def test_cpu_features_of_arm() -> None:
    cpuinfo = "processor : 0\nFeatures\t: fp asimd i8mm\nCPU part\t: 0xd0c\n\nprocessor : 1\nCPU part\t: 0xd0c\n"
    assert wheel_key.features_of(cpuinfo) == ("asimd", "fp", "i8mm", "part-0xd0c")


def test_this_machine_has_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Backend("cpu", FLAGS["cpu"], "test")
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    found = wheel_key.gather("tiny==1.0", backend, Nvcc("/usr/bin/nvcc", "13.0"), ("10de:2684",))
    assert found.cmake_flags == ("-DGGML_RPC=ON",)
    assert found.cuda == ()  # a CPU build does not care
    assert found.cpu_features
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_BLAS=ON '-DCMAKE_CXX_FLAGS=-O1 -g'")
    assert wheel_key.cmake_flags(backend, {"CMAKE_ARGS": "-DA=1 '-DB=2 3'"}) == ("-DGGML_RPC=ON", "-DA=1", "-DB=2 3")
    assert wheel_key.gather("tiny==1.0", backend, None, ()).key() != found.key()


def test_missing_compiler_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert wheel_key.compiler_version() == ""
