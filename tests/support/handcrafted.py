"""The 34 kinds of faults that llama.cpp's tests/test-gguf.cpp hand-crafts, in surroundings that a seed decides."""

import random
import struct

from tests.support.gguf_builder import (
    F32,
    GGML_F32,
    GGML_I8,
    U64,
    GgufBuilder,
    array_entry,
    entry,
    tensor,
    text_entry,
    u32_entry,
)

BIG = 0x7FFFFFFFFFFFFFC0
DATA = b"\1" * 128
TWO = [tensor("a", (32,), GGML_F32, 0), tensor("b", (32,), GGML_F32, 128)]


def handcrafted(seed: int = 0) -> list[tuple[str, bytes, str]]:
    """Return what is wrong, the file, and words of the message ("" where nothing is); seed 0 adds no metadata."""
    around = _surroundings(seed)

    def entries(*parts: bytes) -> bytes:
        return GgufBuilder([*around, *parts]).build()

    def tensors(*parts: bytes, data: bytes = DATA * 2) -> bytes:
        return GgufBuilder(around, list(parts), data).build()

    return [
        ("header: bad magic", GgufBuilder(around, magic=b"\xfb\x3c\x45\x7e").build(), "no GGUF model"),
        ("header: version 0", GgufBuilder(around, version=0).build(), "version 0"),
        ("header: version 1", GgufBuilder(around, version=1).build(), "version 1"),
        ("header: future version", GgufBuilder(around, version=4).build(), "version 4"),
        ("header: n_tensors -1", GgufBuilder(around, n_tensors=-1).build(), "claims 18446744073709551615 tensors"),
        ("header: n_kv -1", GgufBuilder(around, n_entries=-1).build(), "claims 18446744073709551615 metadata entries"),
        ("header: nothing in it", GgufBuilder(around).build(), ""),
        ("kv: key size -1", entries(b"\xff" * 8 + b"key", b"\0" * 32), "claims 18446744073709551615 bytes"),
        ("kv: empty key", entries(u32_entry("", 1)), r"metadata key \d+ is empty"),
        ("kv: bad type", entries(entry("key", 13, b"\0" * 8)), "unknown type 13"),
        ("kv: duplicate key", entries(u32_entry("key", 1), u32_entry("key", 2)), "'key' stands there twice"),
        ("kv: alignment 13", entries(u32_entry("general.alignment", 13)), "alignment is 13"),
        ("kv: alignment of a wrong type", entries(entry("general.alignment", U64, b"\x20" + b"\0" * 7)), "of type 10"),
        ("kv: right", entries(u32_entry("key", 1), text_entry("name", "value")), ""),
        ("tensors: long name", tensors(tensor("n" * 64)), "64 bytes long; 63 are allowed"),
        ("tensors: 5 dimensions", tensors(tensor("a", (1, 1, 1, 1, 32))), "5 dimensions"),
        ("tensors: shape -1", tensors(tensor("a", (32, -1))), "more elements than can be counted"),
        ("tensors: no rows", tensors(tensor("a", (32, 0))), ""),
        ("tensors: too many elements", tensors(tensor("a", (2**62, 8))), "more elements than can be counted"),
        ("tensors: too many bytes", tensors(tensor("a", (2**62,))), "cut short"),
        ("tensors: size wraps when padded", tensors(tensor("a", (2**63 - 1,), GGML_I8)), "cut short"),
        ("tensors: bad type", tensors(tensor("a", (32,), 4)), "unknown type 4"),
        ("tensors: offset -1", tensors(tensor("a", offset=-1)), "lies at 18446744073709551615"),
        ("tensors: duplicate name", tensors(tensor("a"), tensor("a", offset=128)), "'a' stands there twice"),
        ("tensors: bad alignment", tensors(tensor("a", (1,)), tensor("b", offset=4)), "32 is its place"),
        (
            "tensors: alignment differs from the offsets",
            GgufBuilder(
                [*around, u32_entry("general.alignment", 64)], [tensor("a", (1,)), tensor("b", offset=32)], DATA * 2
            ).build(),
            "64 is its place",
        ),
        ("tensors: right", tensors(*TWO), ""),
        (
            "tensors: another alignment",
            GgufBuilder(
                [*around, u32_entry("general.alignment", 256)],
                [tensor("a"), tensor("b", offset=256)],
                DATA * 3,
                alignment=256,
            ).build(),
            "",
        ),
        ("data: one byte short", tensors(*TWO, data=DATA * 2)[:-1], "1 bytes are missing"),
        ("data: bad alignment", tensors(tensor("a", (1,)), tensor("b", (1,), offset=8)), "32 is its place"),
        (
            "data: alignment differs from the padding",
            GgufBuilder([*around, u32_entry("general.alignment", 4096)], [tensor("a")], DATA).build(),
            "cut short",
        ),
        (
            "data: two tensors that overflow memory",
            tensors(tensor("a", (BIG,), GGML_I8), tensor("b", (BIG,), GGML_I8, BIG)),
            "cut short",
        ),
        ("data: right", tensors(*TWO, data=DATA * 2), ""),
        (
            "data: another alignment",
            GgufBuilder([*around, u32_entry("general.alignment", 64)], [tensor("a")], DATA, alignment=64).build(),
            "",
        ),
    ]


def _surroundings(seed: int) -> list[bytes]:
    """Harmless entries, as many and of such kinds as the seed says."""
    dice = random.Random(seed)
    made = [
        lambda key: u32_entry(key, dice.randrange(2**32)),
        lambda key: text_entry(key, "x" * dice.randrange(300)),
        lambda key: entry(key, U64, dice.randbytes(8)),
        lambda key: array_entry(key, F32, [struct.pack("<f", dice.random())] * dice.randrange(50)),
    ]
    return [dice.choice(made)(f"some.key.{index}") for index in range(dice.randrange(1, 9) if seed else 0)]
