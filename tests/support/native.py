"""llama.cpp itself as the reference of the converter's tests; run as a child: `python -m tests.support.native …`.

quantize SOURCE TARGET NUMBER …    llama_model_quantize, to a general.file_type number for each target
tokenize MODEL                     JSON list of texts on stdin -> JSON list of id lists
compare REFERENCE CANDIDATE TEXT   mean KL divergence over the first tokens of a text file, as JSON
generate MODEL PROMPT N            N greedy tokens after a prompt, as JSON
"""

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.llama.bindings import load_llama

N_CHUNKS, CHUNK_TOKENS = 2, 512


def _quiet(api: Any) -> Any:
    callback = api.llama_log_callback(lambda level, text, data: None)
    api.llama_log_set(callback, None)
    api.llama_backend_init()
    return callback


def _load(api: Any, path: str, vocab_only: bool = False) -> Any:
    params = api.llama_model_default_params()
    params.vocab_only = vocab_only
    model = api.llama_model_load_from_file(path.encode(), params)
    assert model, f"llama.cpp cannot load {path}"
    return model


def tokenize(api: Any, model: Any, text: str) -> list[int]:
    """Give the ids of a text; special tokens are recognized, none is added."""
    raw = text.encode()
    ids = (api.llama_token * (len(raw) + 8))()
    count = api.llama_tokenize(api.llama_model_get_vocab(model), raw, len(raw), ids, len(ids), False, True)
    return list(ids[:count])


def log_probabilities(api: Any, path: str, text: str) -> npt.NDArray[np.float32]:
    """Give (tokens, vocabulary) log-probabilities over N_CHUNKS separate windows of the text."""
    model = _load(api, path)
    params = api.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = CHUNK_TOKENS
    params.n_threads = params.n_threads_batch = 1  # several spin when other tests run beside
    context = api.llama_init_from_model(model, params)
    n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
    ids = tokenize(api, model, text)
    assert len(ids) >= N_CHUNKS * CHUNK_TOKENS, f"the text has only {len(ids)} tokens"
    windows = []
    for chunk in range(N_CHUNKS):
        api.llama_memory_clear(api.llama_get_memory(context), True)
        logits = _decode(api, context, ids[chunk * CHUNK_TOKENS : (chunk + 1) * CHUNK_TOKENS], n_vocab)
        shifted = logits - logits.max(axis=1, keepdims=True)
        windows.append(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
    api.llama_free(context)
    api.llama_model_free(model)
    return np.concatenate(windows)


def _decode(api: Any, context: Any, ids: list[int], n_vocab: int) -> npt.NDArray[np.float32]:
    batch = api.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, True
        batch.seq_id[i][0] = 0
    assert api.llama_decode(context, batch) == 0
    logits = np.ctypeslib.as_array(api.llama_get_logits(context), (len(ids), n_vocab)).copy()
    api.llama_batch_free(batch)
    return logits


def compare(api: Any, reference: str, candidate: str, text: str) -> dict[str, float]:
    """Give the mean KL divergence in nats and the share of equal top tokens."""
    p, q = log_probabilities(api, reference, text), log_probabilities(api, candidate, text)
    divergence = (np.exp(p) * (p - q)).sum(axis=1)
    return {"kld_mean": float(divergence.mean()), "same_top": float((p.argmax(1) == q.argmax(1)).mean()), "n": len(p)}


def generate(api: Any, path: str, prompt: str, n: int) -> list[int]:
    """Give n greedy tokens."""
    model = _load(api, path)
    params = api.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = CHUNK_TOKENS
    params.n_threads = params.n_threads_batch = 1
    context = api.llama_init_from_model(model, params)
    n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
    ids = tokenize(api, model, prompt)
    for _ in range(n):
        api.llama_memory_clear(api.llama_get_memory(context), True)
        ids.append(int(_decode(api, context, ids, n_vocab)[-1].argmax()))
    return ids[-n:]


def quantize(api: Any, source: str, target: str, number: int) -> None:
    """Run llama.cpp's own quantizer."""
    params = api.llama_model_quantize_default_params()
    params.ftype = number
    assert api.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)) == 0


def main(arguments: list[str]) -> None:
    api = load_llama()
    callback = _quiet(api)
    command, *rest = arguments
    if command == "quantize":
        for target, number in zip(rest[1::2], rest[2::2], strict=True):
            quantize(api, rest[0], target, int(number))
    elif command == "tokenize":
        model = _load(api, rest[0], vocab_only=True)
        print(json.dumps([tokenize(api, model, text) for text in json.load(sys.stdin)]))
    elif command == "compare":
        print(json.dumps(compare(api, rest[0], rest[1], Path(rest[2]).read_text(encoding="utf-8"))))
    elif command == "generate":
        print(json.dumps(generate(api, rest[0], rest[1], int(rest[2]))))
    del callback


if __name__ == "__main__":
    main(sys.argv[1:])
