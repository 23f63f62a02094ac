"""Small whole models, kept as parts that a recipe may spoil: a llama of two layers with a tokenizer of either kind."""

import struct
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from tests.support.gguf_builder import BOOL, F32, I32, TEXT, U32, GgufBuilder, array_entry, entry, tensor, text

N_LAYER, N_EMBD, N_HEAD, N_HEAD_KV, N_FF, N_CTX = 2, 64, 4, 2, 128, 256


@dataclass(frozen=True)
class Raw:
    """A metadata value by its GGUF type number and bytes."""

    value_type: int
    data: bytes


def u32(value: int) -> Raw:
    """Return a whole number."""
    return Raw(U32, struct.pack("<I", value % 2**32))


def f32(value: float) -> Raw:
    """Return a real number."""
    return Raw(F32, struct.pack("<f", value))


def string(value: str | bytes) -> Raw:
    """Return a text."""
    return Raw(TEXT, text(value))


def flag(value: bool) -> Raw:
    """Return a truth value."""
    return Raw(BOOL, bytes([value]))


def array(item_type: int, items: list[bytes], count: int | None = None) -> Raw:
    """Return an array; `count` may lie."""
    return Raw(9, array_entry("", item_type, items, count)[12:])


def strings(values: list[str | bytes]) -> Raw:
    """Return an array of texts."""
    return array(TEXT, [text(value) for value in values])


def i32s(values: list[int]) -> Raw:
    """Return an array of signed numbers."""
    return array(I32, [struct.pack("<i", value) for value in values])


def f32s(values: list[float]) -> Raw:
    """Return an array of real numbers."""
    return array(F32, [struct.pack("<f", value) for value in values])


@dataclass(frozen=True)
class Line:
    """A line of the tensor table; offset None: where it belongs."""

    name: str | bytes
    shape: tuple[int, ...]
    ggml_type: int = 0
    offset: int | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of an F32 tensor of that shape."""
        return 4 * prod(self.shape)


@dataclass(frozen=True)
class Parts:
    """A model in parts; counts may lie, `tail` follows the data, `cut_bytes` are taken off the end."""

    metadata: dict[str | bytes, Raw]
    tensors: tuple[Line, ...]
    data: bytes
    extra: tuple[bytes, ...] = ()  # whole entries that a dict cannot hold
    n_tensors: int | None = None
    n_entries: int | None = None
    version: int = 3
    tail: bytes = b""
    cut_bytes: int = 0
    alignment: int = field(default=32)

    def having(self, **changed: Any) -> "Parts":
        """Return a copy with other parts."""
        return replace(self, **changed)

    def where(self, key: str | bytes, value: Raw | None) -> "Parts":
        """Return a copy with one metadata value set, or taken away."""
        metadata = {k: v for k, v in self.metadata.items() if k != key}
        return replace(self, metadata=metadata if value is None else {**metadata, key: value})

    def tensor(self, name: str, **changed: Any) -> "Parts":
        """Return a copy with a line of the tensor table changed."""
        return replace(self, tensors=tuple(replace(t, **changed) if t.name == name else t for t in self.tensors))

    def build(self) -> bytes:
        """Return the file's bytes."""
        entries = [entry(key, raw.value_type, raw.data) for key, raw in self.metadata.items()]
        lines, place = [], 0
        for line in self.tensors:
            offset = place if line.offset is None else line.offset
            lines.append(tensor(line.name, line.shape, line.ggml_type, offset))
            place += -(-line.size_bytes // self.alignment) * self.alignment
        whole = GgufBuilder(
            [*entries, *self.extra],
            lines,
            self.data,
            version=self.version,
            n_tensors=self.n_tensors,
            n_entries=self.n_entries,
            alignment=self.alignment,
        ).build()
        return whole[: len(whole) - self.cut_bytes] + self.tail


def bpe_tokens() -> list[str]:
    """Byte-level tokens in GPT-2's alphabet, two merged ones and two control tokens."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shifted = [byte for byte in range(256) if byte not in kept]
    letters = [chr(byte) for byte in kept] + [chr(256 + index) for index in range(len(shifted))]
    return [*letters, "Hi", "Ġt", "<|im_start|>", "<|im_end|>"]


def spm_tokens() -> list[str]:
    """SentencePiece's pieces: three control tokens, every byte, some letters."""
    return ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdeHilo", "▁a", "Hi"]


def bpe_model() -> Parts:
    """Return a whole model with a byte-level tokenizer."""
    tokens = bpe_tokens()
    return _model(
        tokens,
        {
            "tokenizer.ggml.model": string("gpt2"),
            "tokenizer.ggml.pre": string("smollm"),
            "tokenizer.ggml.tokens": strings(list(tokens)),
            "tokenizer.ggml.token_type": i32s([1] * (len(tokens) - 2) + [3, 3]),
            "tokenizer.ggml.merges": strings(["H i", "Ġ t"]),
            "tokenizer.ggml.bos_token_id": u32(len(tokens) - 2),
            "tokenizer.ggml.eos_token_id": u32(len(tokens) - 1),
            "tokenizer.ggml.add_bos_token": flag(False),
        },
    )


def spm_model() -> Parts:
    """Return a whole model with a SentencePiece tokenizer."""
    tokens = spm_tokens()
    return _model(
        tokens,
        {
            "tokenizer.ggml.model": string("llama"),
            "tokenizer.ggml.tokens": strings(list(tokens)),
            "tokenizer.ggml.scores": f32s([0.0] * 3 + [-float(n) for n in range(len(tokens) - 3)]),
            "tokenizer.ggml.token_type": i32s([2, 3, 3, *[6] * 256, *[1] * (len(tokens) - 259)]),
            "tokenizer.ggml.bos_token_id": u32(1),
            "tokenizer.ggml.eos_token_id": u32(2),
        },
    )


def _model(tokens: list[str], tokenizer: dict[str, Raw]) -> Parts:
    metadata: dict[str | bytes, Raw] = {
        "general.architecture": string("llama"),
        "general.name": string("Tiny"),
        "llama.block_count": u32(N_LAYER),
        "llama.context_length": u32(N_CTX),
        "llama.embedding_length": u32(N_EMBD),
        "llama.feed_forward_length": u32(N_FF),
        "llama.attention.head_count": u32(N_HEAD),
        "llama.attention.head_count_kv": u32(N_HEAD_KV),
        "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
        "llama.rope.dimension_count": u32(N_EMBD // N_HEAD),
        "llama.rope.freq_base": f32(10000.0),
        "llama.vocab_size": u32(len(tokens)),
        "general.file_type": u32(0),
        **tokenizer,
        "tokenizer.chat_template": string("{% for m in messages %}{{ m.content }}{% endfor %}"),
    }
    lines = _lines(len(tokens))
    dice = np.random.default_rng(20261122)
    data = dice.normal(0, 0.05, sum(line.size_bytes for line in lines) // 4).astype("<f4").tobytes()
    return Parts(metadata, lines, data)


def _lines(n_vocab: int) -> tuple[Line, ...]:
    kv = N_EMBD // N_HEAD * N_HEAD_KV
    shapes = {
        "attn_norm": (N_EMBD,),
        "attn_q": (N_EMBD, N_EMBD),
        "attn_k": (N_EMBD, kv),
        "attn_v": (N_EMBD, kv),
        "attn_output": (N_EMBD, N_EMBD),
        "ffn_norm": (N_EMBD,),
        "ffn_gate": (N_EMBD, N_FF),
        "ffn_up": (N_EMBD, N_FF),
        "ffn_down": (N_FF, N_EMBD),
    }
    layers = [Line(f"blk.{i}.{name}.weight", shape) for i in range(N_LAYER) for name, shape in shapes.items()]
    return (Line("token_embd.weight", (N_EMBD, n_vocab)), Line("output_norm.weight", (N_EMBD,)), *layers)
