"""Builds small GGUF files byte by byte, right or wrong on purpose."""

import struct
from dataclasses import dataclass, field

U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64 = range(13)
GGML_F32, GGML_F16, GGML_Q4_0, GGML_I8 = 0, 1, 2, 24


def text(value: str | bytes) -> bytes:
    """Return a string as GGUF has it: its length, then its bytes."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str | bytes, value_type: int, value: bytes) -> bytes:
    """Return one metadata entry with the value's bytes as they are."""
    return text(key) + struct.pack("<I", value_type) + value


def text_entry(key: str, value: str | bytes) -> bytes:
    """Return a metadata entry that is a text."""
    return entry(key, TEXT, text(value))


def u32_entry(key: str, value: int) -> bytes:
    """Return a metadata entry that is an unsigned 32-bit number."""
    return entry(key, U32, struct.pack("<I", value))


def array_entry(key: str, item_type: int, items: list[bytes], count: int | None = None) -> bytes:
    """Return a metadata entry that is an array; `count` may lie."""
    claimed = len(items) if count is None else count
    return entry(key, ARRAY, struct.pack("<IQ", item_type, claimed) + b"".join(items))


def tensor(
    name: str | bytes, shape: tuple[int, ...] = (32,), ggml_type: int = GGML_F32, offset: int = 0, n_dims: int = -1
) -> bytes:
    """Return one line of the tensor table; `n_dims` may lie."""
    dims = len(shape) if n_dims < 0 else n_dims
    sizes = b"".join(struct.pack("<Q", size % 2**64) for size in shape)
    return text(name) + struct.pack("<I", dims) + sizes + struct.pack("<IQ", ggml_type, offset % 2**64)


@dataclass
class GgufBuilder:
    """The parts of a GGUF file; counts may lie, the data is padded to `alignment`."""

    entries: list[bytes] = field(default_factory=list)
    tensors: list[bytes] = field(default_factory=list)
    data: bytes = b""
    magic: bytes = b"GGUF"
    version: int = 3
    n_tensors: int | None = None
    n_entries: int | None = None
    alignment: int = 32

    def build(self) -> bytes:
        """Return the file's bytes."""
        n_tensors = len(self.tensors) if self.n_tensors is None else self.n_tensors
        n_entries = len(self.entries) if self.n_entries is None else self.n_entries
        head = self.magic + struct.pack("<IQQ", self.version, n_tensors % 2**64, n_entries % 2**64)
        head += b"".join(self.entries) + b"".join(self.tensors)
        return head + b"\0" * (-len(head) % self.alignment) + self.data if self.tensors else head


def small_model(extra: list[bytes] | None = None, block_count: int = 2) -> bytes:
    """Return a small whole file of architecture llama: 100 tokens, two tensors, no use but being read."""
    tokens = [text(f"token {number}") for number in range(100)]
    entries = [
        text_entry("general.architecture", "llama"),
        text_entry("general.name", "Tiny 测试"),
        u32_entry("llama.block_count", block_count),
        u32_entry("llama.context_length", 512),
        entry("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-5)),
        array_entry("tokenizer.ggml.tokens", TEXT, tokens),
        array_entry("tokenizer.ggml.token_type", I32, [struct.pack("<i", 1)] * 100),
        text_entry("tokenizer.chat_template", "{{ messages }}"),
        *(extra or []),
    ]
    tensors = [tensor("token_embd.weight", (64, 100), GGML_F16, 0), tensor("output_norm.weight", (64,), 0, 12800)]
    return GgufBuilder(entries, tensors, b"\1" * (12800 + 256)).build()


class MemorySource:
    """Bytes in memory as a ByteSource that counts how often it is asked."""

    def __init__(self, data: bytes, name: str = "test.gguf") -> None:
        self.name = name
        self.reads: list[tuple[int, int]] = []
        self._data = data

    @property
    def size_bytes(self) -> int:
        """The length of the data."""
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        self.reads.append((offset, length))
        return self._data[offset : offset + length]
