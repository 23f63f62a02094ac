"""Models of any size as facts, without files: the shapes of real ones."""

from typing import Any

from app.library.facts import ModelFacts, TensorInfo

F32, F16, Q8_0, Q4_K, Q6_K = 0, 1, 8, 12, 14
BLOCKS = {F32: (4, 1), F16: (2, 1), Q8_0: (34, 32), Q4_K: (144, 256), Q6_K: (210, 256)}


def tensor(name: str, shape: tuple[int, ...], kind: int = Q4_K) -> TensorInfo:
    """Return a tensor with the size that its type gives it."""
    elements = 1
    for length in shape:
        elements *= length
    block_bytes, block = BLOCKS[kind]
    return TensorInfo(name, shape, kind, 0, elements // block * block_bytes)


def model(
    architecture: str, n_layers: int, n_vocab: int, trained: int, tensors: list[TensorInfo], **keys: Any
) -> ModelFacts:
    """Return facts; `keys` are hyperparameters with "__" for ".": attention__head_count=32."""
    parameters = sum(_elements(t) for t in tensors)
    metadata = {f"{architecture}.{key.replace('__', '.')}": value for key, value in keys.items()}
    size_bytes = sum(t.size_bytes for t in tensors)
    return ModelFacts(
        path=f"/models/{architecture}.gguf",
        size_bytes=size_bytes,
        architecture=architecture,
        name=architecture,
        parameters=parameters,
        file_type="Q4_K_M",
        n_layers=n_layers,
        context_length=trained,
        n_vocab=n_vocab,
        chat_template="",
        license="",
        metadata=metadata,
        tensors=tuple(tensors),
    )


def _elements(info: TensorInfo) -> int:
    elements = 1
    for length in info.shape:
        elements *= length
    return elements


def _attention(layer: int, embd: int, q: int, kv: int) -> list[TensorInfo]:
    return [
        tensor(f"blk.{layer}.attn_norm.weight", (embd,), F32),
        tensor(f"blk.{layer}.attn_q.weight", (embd, q)),
        tensor(f"blk.{layer}.attn_k.weight", (embd, kv)),
        tensor(f"blk.{layer}.attn_v.weight", (embd, kv), Q6_K),
        tensor(f"blk.{layer}.attn_output.weight", (q, embd)),
        tensor(f"blk.{layer}.ffn_norm.weight", (embd,), F32),
    ]


def dense(
    n_layers: int = 32, embd: int = 4096, ffn: int = 14336, heads: int = 32, kv_heads: int = 8, trained: int = 131072
) -> ModelFacts:
    """Return a Llama-like model, by default Llama 3.1 8B at about Q4_K_M."""
    head = embd // heads
    tensors = [tensor("token_embd.weight", (embd, 128256)), tensor("rope_freqs.weight", (head // 2,), F32)]
    for layer in range(n_layers):
        tensors += _attention(layer, embd, embd, kv_heads * head)
        tensors += [tensor(f"blk.{layer}.ffn_{part}.weight", (embd, ffn)) for part in ("gate", "up")]
        tensors.append(tensor(f"blk.{layer}.ffn_down.weight", (ffn, embd), Q6_K))
    tensors += [tensor("output_norm.weight", (embd,), F32), tensor("output.weight", (embd, 128256), Q6_K)]
    return model(
        "llama",
        n_layers,
        128256,
        trained,
        tensors,
        embedding_length=embd,
        feed_forward_length=ffn,
        attention__head_count=heads,
        attention__head_count_kv=kv_heads,
    )


def experts(n_layers: int = 48, embd: int = 2048, n_experts: int = 128, used: int = 8, ffn: int = 768) -> ModelFacts:
    """Return a mixture of experts, by default Qwen3 30B-A3B at about Q4_K_M."""
    tensors = [tensor("token_embd.weight", (embd, 151936))]
    for layer in range(n_layers):
        tensors += _attention(layer, embd, 4096, 512)
        tensors += [
            tensor(f"blk.{layer}.attn_q_norm.weight", (128,), F32),
            tensor(f"blk.{layer}.attn_k_norm.weight", (128,), F32),
            tensor(f"blk.{layer}.ffn_gate_inp.weight", (embd, n_experts), F32),
            tensor(f"blk.{layer}.ffn_gate_exps.weight", (embd, ffn, n_experts)),
            tensor(f"blk.{layer}.ffn_up_exps.weight", (embd, ffn, n_experts)),
            tensor(f"blk.{layer}.ffn_down_exps.weight", (ffn, embd, n_experts), Q6_K),
        ]
    tensors += [tensor("output_norm.weight", (embd,), F32), tensor("output.weight", (embd, 151936), Q6_K)]
    return model(
        "qwen3moe",
        n_layers,
        151936,
        40960,
        tensors,
        embedding_length=embd,
        feed_forward_length=6144,
        expert_feed_forward_length=ffn,
        expert_count=n_experts,
        expert_used_count=used,
        attention__head_count=32,
        attention__head_count_kv=4,
        attention__key_length=128,
        attention__value_length=128,
    )
