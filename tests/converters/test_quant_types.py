"""The table of types: its rules by hand, and the whole of it against llama.cpp's own dry run."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from converters import native_check
from converters.events import Cancel
from converters.helper import Helper
from converters.mapping import SourceTensor
from converters.quant_types import FILE_TYPES, UNQUANTIZED, GgmlType, ModelSizes, choose, file_order, size_of
from converters.values import Value, f32, text, u32

T = GgmlType


@dataclass(frozen=True)
class Model:
    """A model of which only the header exists."""

    n_layer: int
    n_embd: int
    n_ff: int
    n_head: int
    n_head_kv: int
    n_expert: int = 0
    tied: bool = False
    architecture: str = "llama"

    @property
    def sizes(self) -> ModelSizes:
        return ModelSizes(self.architecture, self.n_layer, self.n_head, self.n_head_kv, self.n_expert)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        kv_rows = self.n_embd // self.n_head * self.n_head_kv
        shapes: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (1000, self.n_embd),
            "output_norm.weight": (self.n_embd,),
        }
        if not self.tied:
            shapes["output.weight"] = (1000, self.n_embd)
        block = {"attn_norm": (self.n_embd,), "attn_q": (self.n_embd, self.n_embd), "attn_k": (kv_rows, self.n_embd),
                 "attn_v": (kv_rows, self.n_embd), "attn_output": (self.n_embd, self.n_embd)}  # fmt: skip
        block |= self._feed_forward()
        for i in range(self.n_layer):
            shapes |= {f"blk.{i}.{name}.weight": shape for name, shape in block.items()}
        return shapes

    def _feed_forward(self) -> dict[str, tuple[int, ...]]:
        up, down = (self.n_ff, self.n_embd), (self.n_embd, self.n_ff)
        if not self.n_expert:
            return {"ffn_gate": up, "ffn_up": up, "ffn_down": down}
        parts = (("gate", up), ("up", up), ("down", down))
        stacked = {f"ffn_{name}_exps": (self.n_expert, *shape) for name, shape in parts}
        return {"ffn_gate_inp": (self.n_expert, self.n_embd), **stacked}

    def metadata(self) -> dict[str, Value]:
        numbers = {
            "block_count": self.n_layer, "context_length": 512, "embedding_length": self.n_embd, "vocab_size": 1000,
            "feed_forward_length": self.n_ff, "attention.head_count": self.n_head,
            "attention.head_count_kv": self.n_head_kv, "rope.dimension_count": self.n_embd // self.n_head,
        }  # fmt: skip
        if self.n_expert:
            numbers |= {"expert_count": self.n_expert, "expert_used_count": 2, "expert_feed_forward_length": self.n_ff}
        values = {f"{self.architecture}.{key}": u32(number) for key, number in numbers.items()}
        epsilon = f32(1e-5)
        return {"general.architecture": text(self.architecture), **values,
                f"{self.architecture}.attention.layer_norm_rms_epsilon": epsilon}  # fmt: skip


MODELS = [
    Model(32, 4096, 14336, 32, 8),
    Model(16, 2048, 8192, 32, 8, tied=True),
    Model(80, 8192, 28672, 64, 8),
    Model(80, 8192, 28672, 64, 64),
    Model(32, 4096, 14336, 32, 8, n_expert=8),
    Model(24, 2048, 1408, 16, 16, n_expert=60),
    Model(30, 576, 1536, 9, 3, tied=True),
    Model(27, 3200, 8640, 32, 32),
    Model(7, 272, 544, 8, 2),
    Model(33, 1008, 2000, 8, 4, n_expert=4, tied=True),
    Model(80, 8192, 29568, 64, 8, architecture="qwen2"),
]


@pytest.fixture
def helper() -> Iterator[Helper]:
    with Helper(Cancel()) as helper:
        yield helper


@pytest.mark.native
@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.architecture}-{model.n_layer}x{model.n_embd}")
def test_the_table_agrees_with_the_library(model: Model, helper: Helper) -> None:
    sources = [SourceTensor(name, shape) for name, shape in model.shapes().items()]
    kinds = list(FILE_TYPES.values())
    types, warnings = native_check.choose_types(kinds, model.sizes, model.metadata(), sources, T.BF16, helper)
    assert warnings == []
    assert [len(chosen) for chosen in types] == [len(sources)] * len(kinds)


@pytest.mark.native
def test_the_library_wins_a_disagreement(helper: Helper) -> None:
    model = MODELS[6]
    sources = [SourceTensor(name, shape) for name, shape in model.shapes().items()]
    wrong = ModelSizes("llama", 30, 9, 3, n_expert=8)  # would raise attn_k and attn_v to Q8_0
    (types,), warnings = native_check.choose_types(
        [FILE_TYPES["Q4_K_M"]], wrong, model.metadata(), sources, T.BF16, helper
    )
    assert types["blk.0.attn_k.weight"] is T.Q5_0
    assert warnings
    assert "blk.0.attn_k.weight" in warnings[0]


def test_odd_widths_fall_back() -> None:
    model = Model(4, 272, 544, 8, 2)
    types = choose(FILE_TYPES["Q4_K_M"], model.sizes, model.shapes(), T.BF16)
    assert types["blk.0.attn_q.weight"] is T.F16  # 272 is no multiple of 32 either
    assert types["blk.1.ffn_down.weight"] is T.Q5_0
    assert types["blk.3.ffn_down.weight"] is T.Q8_0


def test_unquantized_types_keep_norms_and_vectors_in_f32() -> None:
    model = MODELS[4]
    for name in UNQUANTIZED:
        types = choose(FILE_TYPES[name], model.sizes, model.shapes(), T.BF16)
        assert types["blk.0.attn_norm.weight"] is T.F32
        assert types["blk.0.ffn_gate_inp.weight"] is T.F32
        assert types["blk.0.attn_q.weight"] is T[name]


def test_tensors_stand_in_the_order_of_their_blocks() -> None:
    names = ["blk.10.attn_k.weight", "blk.9.attn_k.weight", "output_norm.weight", "blk.9.attn_norm.weight"]
    assert sorted(names, key=file_order) == [names[2], names[1], names[3], names[0]]


def test_sizes_count_whole_blocks() -> None:
    assert size_of(T.Q4_K, (2, 512)) == 2 * 2 * 144
    assert size_of(T.Q8_0, (3, 4, 64)) == 12 * 2 * 34
    assert size_of(T.F32, (5,)) == 20
