"""Plans well-known models from their real configs and tensor names: sizes that no tiny checkpoint reaches."""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from converters.convert import Request, dry_run
from converters.events import Cancel
from converters.helper import Helper
from tests.support.real_checkpoint import read_model, real_models, write_hollow_checkpoint

pytestmark = pytest.mark.native

TYPES = ("Q2_K", "Q4_K_M")


@pytest.fixture(scope="module", autouse=True)
def _one_helper() -> Iterator[None]:
    """One helper process serves all models."""
    with Helper(Cancel()) as helper, pytest.MonkeyPatch.context() as patch:
        helper.ask(do="types", model="", file_types=[])  # starts it outside of any one test
        patch.setattr("converters.convert.Helper", lambda cancel: nullcontext(helper))
        yield


@pytest.mark.parametrize("name", real_models())
def test_every_tensor_has_its_place_and_llama_cpp_agrees_on_its_type(name: str, tmp_path: Path) -> None:
    model = read_model(name)
    plan = dry_run(Request(write_hollow_checkpoint(model, tmp_path / name), TYPES), Cancel())
    assert sum(math.prod(tensor["shape"]) for tensor in plan["tensors"][0]) == model["n_parameters"]
    assert plan["warnings"] == []
