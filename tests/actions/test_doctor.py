"""The doctor names what works and the command that mends what doesn't."""

from pathlib import Path

import pytest

from tests.support.cli import pronk_json, run_pronk

pytestmark = pytest.mark.native


def test_every_check_says_what_it_found() -> None:
    checks = {check["name"]: check for check in pronk_json("doctor")["checks"]}
    assert {"python", "engine", "memory", "data folder", "models", "sqlite", "display"} <= set(checks)
    assert all(check["found"] for check in checks.values())
    assert checks["engine"]["ok"]
    assert "cpu" in checks["engine"]["found"]


def test_what_is_wrong_has_a_remedy() -> None:
    checks = pronk_json("doctor")["checks"]
    assert all(check["remedy"] for check in checks if not check["ok"])
    models = next(check for check in checks if check["name"] == "models")
    assert (models["ok"], models["remedy"]) == (False, "pronk models add --starter")
    run_pronk("models", "add", "--starter")
    assert next(check for check in pronk_json("doctor")["checks"] if check["name"] == "models")["ok"]


def test_text_for_people() -> None:
    done = run_pronk("doctor")
    assert done.returncode == 0
    assert "engine: llama-cpp-python" in done.stdout


def test_a_data_folder_that_cannot_be_written_is_one_check_among_others(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    checks = {check["name"]: check for check in pronk_json("doctor", "--home", str(tmp_path / "file" / "x"))["checks"]}
    assert checks["engine"]["ok"]
    assert not checks["data folder"]["ok"]
    assert "PRONK_HOME" in checks["data folder"]["remedy"]
