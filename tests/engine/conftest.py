"""One server for the tests of a module; those that break it start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.paths import Home
from tests.support.engine import Running, running_engine, write_plan
from tests.support.models import smollm2_gguf


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """SmolLM2 with two sequences that share 1,024 tokens."""
    folder = tmp_path_factory.mktemp("served")
    home = Home(folder / "Pronk 数据").prepare()
    with running_engine(home, smollm2_gguf(), "--plan", str(write_plan(folder, n_ubatch=512))) as running:
        yield running


@pytest.fixture
def plan_file(tmp_path: Path) -> str:
    """A plan for one thread and one sequence."""
    return str(write_plan(tmp_path, parallel=1))
