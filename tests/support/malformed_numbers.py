"""Recipes of hyperparameters that no model has, and of some that only look odd."""

import math
import struct

from tests.support.gguf_builder import F64, I32, U64
from tests.support.malformed import Recipe, of
from tests.support.malformed_base import N_LAYER, Raw, array, bpe_model, f32, flag, i32s, string, u32

COUNTS = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "rope.dimension_count",
    "vocab_size",
    "expert_count",
    "expert_used_count",
)
EPSILON = "llama.attention.layer_norm_rms_epsilon"
# What llama.cpp asserts, or divides by (src/llama-model.cpp, load_hparams)
ABORTS = {
    ("block_count", 0),
    ("block_count", 2**31),
    ("block_count", 2**32 - 1),
    ("expert_count", 1),
    ("expert_count", 7),
    ("expert_count", 2**31),
    ("expert_count", 2**32 - 1),
    ("expert_used_count", 1),
    ("expert_used_count", 7),
    ("expert_used_count", 2**31),
    ("expert_used_count", 2**32 - 1),
}


def number_recipes() -> list[Recipe]:
    """Return the recipes."""
    return [*_counts(), *_reals(), *_types(), *_others()]


def _counts() -> list[Recipe]:
    base = bpe_model()
    return [
        of(f"{key} {value}", base.where(f"llama.{key}", u32(value)), aborts=(key, value) in ABORTS)
        for key in COUNTS
        for value in (0, 1, 7, 2**31, 2**32 - 1)
    ]


def _reals() -> list[Recipe]:
    base = bpe_model()
    values = {"NaN": math.nan, "-1": -1.0, "0": 0.0, "infinite": math.inf, "-infinite": -math.inf}
    return [
        *(
            of(f"epsilon {name}", base.where(EPSILON, f32(value)), aborts=name in ("NaN", "-1", "-infinite"))
            for name, value in values.items()
        ),
        *(of(f"rope base {name}", base.where("llama.rope.freq_base", f32(value))) for name, value in values.items()),
        *(of(f"rope factor {n}", base.where("llama.rope.scaling.factor", f32(v))) for n, v in values.items()),
        of("no epsilon", base.where(EPSILON, None)),
    ]


def _types() -> list[Recipe]:
    base = bpe_model()
    key = "llama.block_count"
    return [
        of("block_count as a text", base.where(key, string("2"))),
        of("block_count as a real number", base.where(key, f32(2.0))),
        of("block_count in 64 bits", base.where(key, Raw(U64, struct.pack("<Q", N_LAYER)))),
        of("block_count signed, -1", base.where(key, Raw(I32, struct.pack("<i", -1)))),
        of("block_count as an array", base.where(key, i32s([N_LAYER]))),
        of("no block_count", base.where(key, None)),
        of("no context_length", base.where("llama.context_length", None)),
        of("epsilon in 64 bits", base.where(EPSILON, Raw(F64, struct.pack("<d", 1e-5)))),
        of("heads as an array", base.where("llama.attention.head_count", i32s([4, 4])), whole=True),
        of("heads as too short an array", base.where("llama.attention.head_count", i32s([4]))),
        of("heads as an array with 0", base.where("llama.attention.head_count", i32s([4, 0]))),
        of("heads as an empty array", base.where("llama.attention.head_count", array(I32, []))),
        of("heads as an array of texts", base.where("llama.attention.head_count", array(8, [b"\0" * 8] * 2))),
        of("vocab_size as a text", base.where("llama.vocab_size", string("many"))),
        of("file_type as a text", base.where("general.file_type", string("Q4"))),
        of("file_type 9999", base.where("general.file_type", u32(9999)), whole=True),
    ]


def _others() -> list[Recipe]:
    base = bpe_model()
    experts = base.where("llama.expert_count", u32(8)).where("llama.expert_used_count", u32(2))
    return [
        of("8 experts without their tensors", experts),
        of("more expert groups than experts", experts.where("llama.expert_group_count", u32(9)), aborts=True),
        of("expert groups without experts", base.where("llama.expert_group_count", u32(1)), aborts=True),
        of("3 groups of 8 experts", experts.where("llama.expert_group_count", u32(3)), aborts=True),
        of("2 groups of which 0 are used", experts.where("llama.expert_group_count", u32(2)), aborts=True),
        of("more draft layers than layers", base.where("llama.nextn_predict_layers", u32(3)), aborts=True),
        of("2^32 - 1 draft layers", base.where("llama.nextn_predict_layers", u32(2**32 - 1)), aborts=True),
        of("an unknown rope scaling", base.where("llama.rope.scaling.type", string("spiral")), aborts=True),
        of("rope scaling as a number", base.where("llama.rope.scaling.type", u32(2))),
        of("not causal", base.where("llama.attention.causal", flag(False))),
        of("pooling 2^31", base.where("llama.pooling_type", u32(2**31))),
    ]
