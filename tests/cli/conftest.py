"""Commands plan, and a plan in a fresh home measures this computer for seconds: here it is done once for all tests."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.actions.rate_book import CACHE_NAME


@pytest.fixture(autouse=True)
def _measured_once(_own_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    kept = tmp_path_factory.getbasetemp() / CACHE_NAME
    here = Path(os.environ["PRONK_HOME"]) / "cache" / CACHE_NAME
    if kept.exists():
        here.parent.mkdir(parents=True)
        shutil.copyfile(kept, here)
    yield
    if here.exists():
        shutil.copyfile(here, kept)
