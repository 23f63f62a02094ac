"""The comparison with llama.cpp at run time: agreement, disagreement, and a library that has no answer."""

from collections.abc import Iterator

import pytest

from converters.errors import UnsupportedModel
from converters.events import Cancel
from converters.helper import Helper
from converters.native_check import Types, choose_types
from converters.quant_rules import choose
from converters.quant_types import FILE_TYPES, GgmlType, ModelSizes, sizes_from_metadata
from converters.values import Value, u32
from tests.support.headers import Model, metadata_of, shapes_of, tensors_of

pytestmark = pytest.mark.native
T = GgmlType
MODEL = Model("llama", 4, 576, 1536, 9, 3, tied=True)
SIZES = sizes_from_metadata(metadata_of(MODEL))
ASKED = [FILE_TYPES["Q4_K_M"], FILE_TYPES["BF16"], FILE_TYPES["IQ4_XS"]]


@pytest.fixture
def helper() -> Iterator[Helper]:
    with Helper(Cancel()) as helper:
        yield helper


def check(
    helper: Helper,
    metadata: dict[str, Value],
    sizes: ModelSizes = SIZES,
    kept: dict[str, GgmlType] | None = None,
) -> tuple[list[Types], list[str]]:
    return choose_types(ASKED, sizes, metadata, tensors_of(MODEL), T.BF16, helper, kept)


def by_table() -> list[Types]:
    return [choose(kind, SIZES, shapes_of(MODEL), T.BF16) for kind in ASKED]


def test_agreement_is_silent(helper: Helper) -> None:
    assert check(helper, metadata_of(MODEL)) == (by_table(), [])


def test_the_library_wins_a_disagreement(helper: Helper) -> None:
    wrong = ModelSizes("llama", 4, 9, 3, n_expert=8)  # would raise attn_k and attn_v to Q8_0
    types, warnings = check(helper, metadata_of(MODEL), wrong)
    assert types == by_table()
    assert warnings[0] == "Q4_K_M: llama.cpp makes blk.0.attn_k.weight Q5_0, not Q8_0; so it is done."


def test_tensors_that_are_stored_quantized_are_not_asked_about(helper: Helper) -> None:
    kept = {"blk.1.ffn_up.weight": T.MXFP4}
    types, warnings = check(helper, metadata_of(MODEL), kept=kept)
    assert warnings == []
    assert [chosen["blk.1.ffn_up.weight"] for chosen in types] == [T.MXFP4] * 3


def test_a_header_that_the_library_refuses_leaves_the_table(helper: Helper) -> None:
    metadata = metadata_of(MODEL)
    del metadata["llama.attention.layer_norm_rms_epsilon"]
    types, (warning,) = check(helper, metadata)
    assert types == by_table()
    assert "could not be compared" in warning
    assert "layer_norm_rms_epsilon" in warning


def test_a_header_that_ends_the_library_s_process_leaves_the_table(helper: Helper) -> None:
    broken = metadata_of(MODEL) | {"llama.block_count": u32(0)}  # GGML_ASSERT aborts
    types, (warning,) = check(helper, broken)
    assert types == by_table()
    assert "process ended" in warning
    assert check(helper, metadata_of(MODEL)) == (by_table(), [])  # and it is started again


def test_a_full_or_missing_temporary_folder_leaves_the_table(helper: Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc")  # nobody can write there
    types, (warning,) = check(helper, metadata_of(MODEL))
    assert types == by_table()
    assert "could not be compared" in warning


def test_a_type_that_cannot_be_written_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Helper, "ask", lambda helper, **request: {"types": [{"blk.0.attn_k.weight": "tq1_0"}]})
    with pytest.raises(UnsupportedModel, match=r"blk\.0\.attn_k\.weight tq1_0 for Q4_K_M"):
        check(Helper(Cancel()), metadata_of(MODEL))


def test_an_answer_with_missing_tensors_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Helper, "ask", lambda helper, **request: {"types": [{}]})
    types, warnings = check(Helper(Cancel()), metadata_of(MODEL))
    assert types == by_table()
    assert warnings[0] == f"Q4_K_M: llama.cpp named 0 of {len(types[0])} tensors; the rest is unchecked."
