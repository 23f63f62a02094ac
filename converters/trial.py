"""Tries a finished file in llama.cpp: does its loader accept every tensor, does it answer. For the helper only."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import EngineFailed
from converters.jsonfile import JsonObject

_LOAD_MODE_NONE = 0  # with no_alloc every other mode aborts (llama.cpp src/llama-model.cpp)
_N_CONTEXT = 64
_PROMPT = b"Once upon a time"


def try_file(api: Any, log: list[str], model: Path, n_tokens: int, n_threads: int) -> JsonObject:
    """Load the file, without its weights if n_tokens is 0, and give {n_tensors, greedy_tokens}.

    greedy_tokens: how many were generated with finite logits. Raises EngineFailed when the loader refuses the file."""
    log.clear()
    params = api.llama_model_default_params()
    params.n_gpu_layers, params.use_extra_bufts = 0, False  # no second copy of weights in another order
    if not n_tokens:
        params.no_alloc, params.load_mode = True, _LOAD_MODE_NONE
    handle = api.llama_model_load_from_file(os.fsencode(model), params)
    if not handle:
        raise EngineFailed(f"llama.cpp cannot load what was written: {last_words(log)}")
    try:
        found = re.search(r"and (\d+) tensors", "".join(log))
        generated = _generate(api, handle, n_tokens, n_threads) if n_tokens else 0
        return {"n_tensors": int(found[1]) if found else 0, "greedy_tokens": generated}
    finally:
        api.llama_model_free(handle)


def last_words(log: Sequence[str]) -> str:
    """Give the end of llama.cpp's log on one line."""
    return " ".join("".join(log[-4:]).split())[-300:]


def _generate(api: Any, handle: Any, n_tokens: int, n_threads: int) -> int:
    """Continue a few words greedily; stops at the first logits that are not finite."""
    params = api.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = _N_CONTEXT
    params.n_threads = params.n_threads_batch = n_threads
    context = api.llama_init_from_model(handle, params)
    if not context:
        raise EngineFailed("llama.cpp loads what was written, but cannot make a context for it.")
    try:
        vocab = api.llama_model_get_vocab(handle)
        ids = (api.llama_token * _N_CONTEXT)()
        count = api.llama_tokenize(vocab, _PROMPT, len(_PROMPT), ids, _N_CONTEXT // 2, True, False)
        n_vocab = api.llama_vocab_n_tokens(vocab)
        return _continue(api, context, ids, max(count, 1), n_vocab, n_tokens)
    finally:
        api.llama_free(context)


def _continue(api: Any, context: Any, ids: Any, n_prompt: int, n_vocab: int, n_tokens: int) -> int:
    batch = api.llama_batch_get_one(ids, n_prompt)
    for made in range(n_tokens):
        if api.llama_decode(context, batch):
            return made
        logits = api.llama_get_logits_ith(context, -1)
        values = np.ctypeslib.as_array(logits, (n_vocab,))
        if not np.isfinite(values).all():
            return made
        ids[0] = int(values.argmax())
        batch = api.llama_batch_get_one(ids, 1)
    return n_tokens
