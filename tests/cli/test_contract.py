"""The contract that every command keeps: help, exit codes, errors on stderr and as JSON."""

import json
from pathlib import Path

import pytest

from app.cli.main import COMMANDS
from tests.support.cli import run_pronk


def test_help_names_every_command() -> None:
    done = run_pronk("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"    {command}" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = run_pronk(command, "--help")
    assert done.returncode == 0
    assert "--home DIR" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("plan",),
        ("convert", "x"),
        ("devices", "--wrong"),
        ("chat", "x", "--gpu", "5"),
        ("chat", "x", "--max-tokens", "0"),
        ("chat", "x", "--temperature", "nan"),
        ("serve", "x", "--port", "99999"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    done = run_pronk(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("search", "llama"), ("compare", "a", "b"), ("download", "hf:a/b"), ("convert", "hf:a/b", "--type", "Q8_0")],
)
def test_what_is_not_there_yet_says_so(arguments: tuple[str, ...]) -> None:
    done = run_pronk(*arguments, "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "not_yet"
    assert error["message"] in done.stderr
    assert error["hint"] in done.stderr


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("inspect", ["--json"]),
        ("plan", ["--json"]),
        ("chat", ["--json", "--prompt", "hi"]),
        ("serve", ["--events"]),
        ("bench", ["--json"]),
    ],
)
def test_a_model_that_is_not_there(command: str, options: list[str]) -> None:
    done = run_pronk(command, "no-such-model", *options)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    answer = json.loads(done.stdout)
    assert (answer.get("error") or answer)["kind"] == "bad_file"
    assert "no-such-model" in done.stderr


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run_pronk("models", "list", "--json", "--home", str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["kind"] == "disk"


def test_home_option_before_and_after_the_command(tmp_path: Path) -> None:
    for arguments in (("--home", str(tmp_path / "数据 a"), "models"), ("models", "--home", str(tmp_path / "数据 b"))):
        assert run_pronk(*arguments).returncode == 0
    assert (tmp_path / "数据 a" / "models").is_dir()
    assert (tmp_path / "数据 b" / "models").is_dir()


def test_json_lines_with_events() -> None:
    done = run_pronk("convert", "/no/such/folder", "--type", "Q8_0", "--events")
    assert done.returncode == 1
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["event"], last["kind"]) == ("failed", "bad_file")
    assert "/no/such/folder" in last["message"]
