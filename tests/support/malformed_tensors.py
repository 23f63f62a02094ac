"""Recipes of tensor tables and of data that is short, moved or senseless."""

import struct

import numpy as np

from tests.support.malformed import Recipe, of
from tests.support.malformed_base import N_EMBD, Line, Parts, bpe_model, f32, string, u32

NORM, EMBEDDING, QUERY = "output_norm.weight", "token_embd.weight", "blk.1.attn_q.weight"


def tensor_recipes() -> list[Recipe]:
    """Return the recipes."""
    return [*_missing(), *_wrong(), *_places(), *_data()]


def _missing() -> list[Recipe]:
    base = bpe_model()
    bare = base.having(tensors=(), data=b"")
    return [
        *(
            of(f"without {name}", base.having(tensors=tuple(line for line in base.tensors if line.name != name)))
            for name in (NORM, EMBEDDING, QUERY)
        ),
        of("without any tensor", bare),
        of("only the embedding", base.having(tensors=base.tensors[:1])),
        of("glm4moe without tensors", _called("glm4moe", bare, expert_count=8, expert_used_count=2)),
        of("glm4moe without experts", _called("glm4moe", base), aborts=True),
        of("bailingmoe2 without experts", _called("bailingmoe2", base, expert_gating_func=1)),
        of("the eyes of another model", _called("clip", base)),
        of("a tensor more", _with_more(base, Line("blk.0.unheard.weight", (N_EMBD,)))),
        of("a tensor without a name", _with_more(base, Line("", (N_EMBD,)))),
        of("a tensor of layer 99", _with_more(base, Line("blk.99.attn_q.weight", (N_EMBD, N_EMBD)))),
        of("a tensor's name of 64 letters", _with_more(base, Line("n" * 64, (N_EMBD,)))),
        of("a tensor's name that is no UTF-8", _with_more(base, Line(b"\xff\xfe", (N_EMBD,)))),
        of("a tensor twice", _with_more(base, base.tensors[1])),
    ]


def _called(architecture: str, base: Parts, **numbers: int) -> Parts:
    """The metadata under another architecture's name."""
    metadata = {
        key.replace("llama.", f"{architecture}.") if isinstance(key, str) else key: value
        for key, value in base.metadata.items()
    }
    parts = base.having(metadata=metadata).where("general.architecture", string(architecture))
    needed = {"expert_feed_forward_length": 32, "expert_shared_count": 1, "leading_dense_block_count": 1}
    for key, value in {**needed, **numbers}.items():
        parts = parts.where(f"{architecture}.{key}", u32(value))
    return parts.where(f"{architecture}.expert_weights_scale", f32(1.0))


def _with_more(base: Parts, line: Line) -> Parts:
    return base.having(tensors=(*base.tensors, line), data=base.data + bytes(line.size_bytes))


def _wrong() -> list[Recipe]:
    base = bpe_model()
    n_vocab = base.tensors[0].shape[1]
    return [
        of("a norm too long", base.tensor(NORM, shape=(N_EMBD + 8,))),
        of("an embedding turned round", base.tensor(EMBEDDING, shape=(n_vocab, N_EMBD))),
        of("a query in one dimension", base.tensor(QUERY, shape=(N_EMBD * N_EMBD,))),
        of("a query in three dimensions", base.tensor(QUERY, shape=(N_EMBD, N_EMBD, 1))),
        of("a query in five dimensions", base.tensor(QUERY, shape=(N_EMBD, N_EMBD, 1, 1, 1))),
        of("a query without dimensions", base.tensor(QUERY, shape=())),
        of("a query without rows", base.tensor(QUERY, shape=(N_EMBD, 0))),
        of("a query of 2^62 rows", base.tensor(QUERY, shape=(N_EMBD, 2**62))),
        of("a query of -1 rows", base.tensor(QUERY, shape=(N_EMBD, -1))),
        of("a query of whole numbers", _retyped(QUERY, 26, 4 * N_EMBD**2), aborts=True),
        of("a norm of whole numbers", _retyped(NORM, 26, 4 * N_EMBD), aborts=True),
        of("an embedding of whole numbers", _retyped(EMBEDDING, 26, 4 * N_EMBD * n_vocab), aborts=True),
        of("a query of bytes", _retyped(QUERY, 24, N_EMBD**2), aborts=True),
        of("a query of 16-bit whole numbers", _retyped(QUERY, 25, 2 * N_EMBD**2), aborts=True),
        of("a query of 64-bit whole numbers", _retyped(QUERY, 27, 8 * N_EMBD**2), aborts=True),
        of("a query of 64-bit real numbers", _retyped(QUERY, 28, 8 * N_EMBD**2), aborts=True),
        of("an embedding of Q8_1", _retyped(EMBEDDING, 9, n_vocab * N_EMBD // 32 * 36), aborts=True),
        of("a query said to be of 64-bit numbers", base.tensor(QUERY, ggml_type=28)),
        of("a query of a withdrawn type", base.tensor(QUERY, ggml_type=4)),
        of("a query of an unknown type", base.tensor(QUERY, ggml_type=99)),
        of("a query of type -1", base.tensor(QUERY, ggml_type=2**32 - 1)),
        of("a query of Q8_1", _retyped(QUERY, 9, N_EMBD**2 // 32 * 36), aborts=True),
        of("a query of Q4_K with short rows", base.tensor(QUERY, ggml_type=12)),
        of("a norm of Q4_0", _retyped(NORM, 2, N_EMBD // 32 * 18), aborts=True),
        of("a norm of F16", _retyped(NORM, 1, N_EMBD * 2)),
    ]


def _retyped(name: str, ggml_type: int, size_bytes: int) -> Parts:
    """One tensor stored as another type, the places of those that follow put right."""
    base, place, lines = bpe_model(), 0, []
    for line in base.tensors:
        kind = ggml_type if line.name == name else 0
        lines.append(Line(line.name, line.shape, kind, place))
        place += -(-(size_bytes if line.name == name else line.size_bytes) // 32) * 32
    return base.having(tensors=tuple(lines), data=(base.data * 2)[:place])


def _places() -> list[Recipe]:
    base = bpe_model()
    place = sum(line.size_bytes for line in base.tensors[:2])
    name = str(base.tensors[2].name)
    return [
        of("two tensors at one place", base.tensor(name, offset=0)),
        of("a tensor between two places", base.tensor(name, offset=place + 4)),
        of("a tensor 32 bytes late", base.tensor(name, offset=place + 32)),
        of("a tensor at 2^62", base.tensor(name, offset=2**62)),
        of("a tensor at -1", base.tensor(name, offset=-1)),
        of("alignment 64 on places of 32", base.where("general.alignment", u32(64)).tensor(name, offset=place + 32)),
        of("alignment 4096 on a file of 32", base.where("general.alignment", u32(4096))),
    ]


def _data() -> list[Recipe]:
    base = bpe_model()
    n = len(base.data)
    return [
        of("a byte short", base.having(cut_bytes=1)),
        of("a tensor short", base.having(cut_bytes=base.tensors[-1].size_bytes)),
        of("half of the data", base.having(cut_bytes=n // 2)),
        of("no data", base.having(cut_bytes=n)),
        of("all zeros", base.having(data=bytes(n)), whole=True),
        of("all ones", base.having(data=b"\xff" * n), whole=True),
        of("infinite weights", base.having(data=np.full(n // 4, np.inf, "<f4").tobytes()), whole=True),
        of("1 MB behind the data", base.having(tail=b"\x55" * (1 << 20)), whole=True),
        of("a second model behind the data", base.having(tail=b"GGUF" + struct.pack("<I", 3)), whole=True),
    ]
