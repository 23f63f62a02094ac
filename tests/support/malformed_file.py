"""Recipes of files that are no GGUF, or lie about counts and lengths."""

import struct

from tests.support.gguf_builder import ARRAY, I32, TEXT, U8, entry, text, text_entry, u32_entry
from tests.support.malformed import Recipe, of
from tests.support.malformed_base import Raw, array, bpe_model, flag, string, u32

GIB = 1 << 30
HUGE = {"2^63": 2**63, "2^62": 2**62, "1e9": 10**9}


def file_recipes() -> list[Recipe]:
    """Return the recipes."""
    return [*_strangers(), *_counts(), *_lengths(), *_keys()]


def _strangers() -> list[Recipe]:
    base = bpe_model()
    whole = base.build()
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 98362432\n"
    files = {
        "an empty file": b"",
        "only the magic": b"GGUF",
        "a web page": b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "a git-LFS pointer": lfs,
        "an error as JSON": b'{"error":"Invalid username or password."}',
        "zeros": b"\0" * 65536,
        "zeros with a model's end": b"\0" * 4096 + whole[4096:],
        "safetensors": struct.pack("<Q", 60) + b'{"__metadata__":{}}'.ljust(60),
        "a zip": b"PK\3\4" + b"\0" * 60,
        "an old GGML file": b"tjgg" + whole[4:],
        "the magic in lower case": b"gguf" + whole[4:],
        "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 20, 15) + whole[24:],
        "half of the header": whole[:2000],
    }
    recipes = [Recipe(name, lambda data=data: data) for name, data in files.items()]  # type: ignore[misc]
    recipes += [of(f"version {version}", base.having(version=version)) for version in (0, 1, 4, 2**32 - 1)]
    return [*recipes, of("nothing wrong", base, whole=True), of("version 2", base.having(version=2), whole=True)]


def _counts() -> list[Recipe]:
    base = bpe_model()
    recipes = []
    for what, right in (("n_tensors", len(base.tensors)), ("n_entries", len(base.metadata))):
        counts = {**HUGE, "2^64 - 1": 2**64 - 1, "one more": right + 1, "one less": right - 1, "0": 0}
        recipes += [of(f"{what}: {name}", base.having(**{what: count})) for name, count in counts.items()]
    return recipes


def _lengths() -> list[Recipe]:
    base = bpe_model()
    recipes = []
    for name, length in HUGE.items():
        claim = struct.pack("<Q", length)
        recipes += [
            of(f"a key of {name} bytes", base.having(extra=(claim + b"key",), n_entries=len(base.metadata) + 1)),
            of(f"a text of {name} bytes", base.where("general.name", Raw(TEXT, claim + b"short"))),
            of(f"an array of {name} items", base.where("some.list", array(I32, [b"\0" * 4], length))),
            of(f"an array of {name} texts", base.where("tokenizer.ggml.tokens", array(TEXT, [text("a")], length))),
        ]
    head = base.where("general.description", Raw(TEXT, struct.pack("<Q", GIB))).having(tensors=(), data=b"")
    numbers = base.where("some.list", Raw(ARRAY, struct.pack("<IQ", U8, GIB))).having(tensors=(), data=b"")
    return [
        *recipes,
        Recipe("a text of 1 GiB that is there", head.build, hole_bytes=GIB),
        Recipe("an array of 1 GiB that is there", numbers.build, hole_bytes=GIB),
        of("an array in an array", base.where("some.list", array(ARRAY, [struct.pack("<IQ", I32, 1) + b"\0" * 4]))),
        of("2,000 nested arrays", base.where("some.list", Raw(ARRAY, _nested(2000)))),
        of("an array of an unknown type", base.where("some.list", array(77, [b"\0" * 4]))),
        of("a value of an unknown type", base.where("some.value", Raw(13, b"\0" * 8))),
        of("an empty array", base.where("some.list", array(I32, [])), whole=True),
    ]


def _nested(depth: int) -> bytes:
    return struct.pack("<IQ", ARRAY, 1) * (depth - 1) + struct.pack("<IQ", I32, 1) + b"\0" * 4


def _keys() -> list[Recipe]:
    base = bpe_model()
    more = len(base.metadata) + 1
    return [
        of("an empty key", base.where("", u32(1))),
        of("a key twice", base.having(extra=(u32_entry("llama.block_count", 2),), n_entries=more)),
        of("a key that is no UTF-8", base.where(b"\xff\xfe.key", u32(1)), whole=True),
        of("a key with a zero byte", base.where(b"some\0key", u32(1)), whole=True),
        of("a key of 70,000 letters", base.where("k" * 70_000, u32(1)), whole=True),
        of("a name that is no UTF-8", base.where("general.name", string(b"\xff\xfe\xfd")), whole=True),
        of("a name of 5 MB", base.where("general.name", string("n" * 5_000_000)), whole=True),
        of("a name that is a number", base.where("general.name", u32(7))),
        of("no architecture", base.where("general.architecture", None)),
        of("an unknown architecture", base.where("general.architecture", string("llama9"))),
        of("an architecture that is a number", base.where("general.architecture", u32(1))),
        of("an architecture of 1 MB", base.where("general.architecture", string("a" * (1 << 20)))),
        of("alignment 0", base.where("general.alignment", u32(0))),
        of("alignment 13", base.where("general.alignment", u32(13))),
        of("alignment 2^31", base.where("general.alignment", u32(2**31))),
        of("alignment as a truth value", base.where("general.alignment", flag(True))),
        of("split in 2^16 - 1 files", base.where("split.count", Raw(2, b"\xff\xff"))),
        of("split as a text", base.having(extra=(text_entry("split.count", "two"), entry("x", U8, b"\1")))),
    ]
