"""Out of hundreds of lines of build output come the few that matter."""

import build_log
import pytest

NOISE = [f"  [{n}/197] Building CXX object vendor/llama.cpp/ggml/src/file-{n}.cpp.o" for n in range(1, 198)]
PIP = [
    "  error: subprocess-exited-with-error",
    "  × Building wheel for llama-cpp-python (pyproject.toml) did not run successfully.",
    "  │ exit code: 1",
    "  ╰─> See above for output.",
    "  note: This error originates from a subprocess, and is likely not a problem with pip.",
    "  ERROR: Failed building wheel for llama-cpp-python",
    "ERROR: Failed to build one or more wheels",
]


@pytest.mark.parametrize(
    ("lines", "first", "advice"),
    [
        (
            ["ggml.c:3:1: fatal error: immintrin.h: No such file or directory", "compilation terminated."],
            "ggml.c:3",
            "",
        ),
        (
            ["CMake Error at CMakeLists.txt:12 (find_package):", "  Could not find Vulkan", "CMake Error: again"],
            "CMake Error at CMakeLists.txt:12",
            "libvulkan-dev",
        ),
        (
            ["FAILED: a.o", "c++: fatal error: Killed signal terminated program cc1plus"],
            "c++: fatal",
            "PARALLEL_LEVEL=1",
        ),
        (["x.cpp:1: error: writing", "x.s: fatal error: No space left on device"], "x.s: fatal", "disk space"),
        (["nvcc fatal   : Unsupported gpu architecture 'compute_120'"], "nvcc fatal", "PRONK_BACKEND=cpu"),
        (["ERROR: No matching distribution found for llama-cpp-python==9"], "ERROR: No matching", "network"),
        (["E: Unable to locate package libfoo"], "E: Unable", ""),
        (["Traceback (most recent call last):", '  File "b.py", line 3', "ValueError: bad flag"], "ValueError", ""),
    ],
)
def test_cause_is_the_first_real_error(lines: list[str], first: str, advice: str) -> None:
    found = build_log.cause("\n".join([*NOISE, *lines, *NOISE, *PIP]))
    assert found[0].startswith(first)
    assert len(found) <= build_log.MAX_LINES
    assert advice in build_log.remedy(found)
    assert bool(build_log.remedy(found)) == bool(advice)


def test_unknown_failure_shows_the_end() -> None:
    assert build_log.cause("\n".join([*NOISE, "it just stopped"]))[-1] == "it just stopped"
    assert build_log.cause("") == []


def test_equal_tries_are_one_line() -> None:
    tries = [f"  WARNING: Retrying (Retry(total={n})) Failed to establish a new connection: refused" for n in range(5)]
    found = build_log.cause("\n".join([*tries, "  ERROR: No matching distribution found for setuptools"]))
    assert len(found) == 2
    assert "network" in build_log.remedy(found)


def test_long_lines_are_cut() -> None:
    assert len(build_log.cause("a.cpp:1: error: " + "x" * 5000)[0]) == build_log.MAX_CHARACTERS


def test_message_ends_with_the_log_s_place() -> None:
    text = build_log.failure("Building the engine", "a.cpp:1: error: no\n", "/tmp/build.log")
    assert text.splitlines() == ["Building the engine failed:", "    a.cpp:1: error: no", "Full log: /tmp/build.log"]
