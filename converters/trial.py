"""Tries a finished file in llama.cpp: does its loader accept every tensor, does it answer. For the helper only."""

import ctypes
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import EngineFailed
from converters.jsonfile import JsonObject
from converters.mapped_pages import limited_mappings

_LOAD_MODE_NONE = 0  # with no_alloc every other mode aborts (llama.cpp src/llama-model.cpp)
_NO_DEVICES = (ctypes.c_void_p * 1)()  # an empty list ends with a null: a card may be busy with other work
_MOST_AT_ONCE = 32
_N_CONTEXT = 2 * _MOST_AT_ONCE
_PROMPT = b"Once upon a time"

# Reads tokens and gives the likeliest next one after each of the last n_outputs, up to the first whose logits are bad.
Decode = Callable[[Sequence[int], int], list[int]]


@dataclass(frozen=True)
class Greedy:
    """How many tokens were chosen from finite logits, and how many of those in one pass after words that were given."""

    n_tokens: int
    n_at_once: int


def list_tensors(api: Any, log: list[str], model: Path) -> JsonObject:
    """Let the loader go through the file's tensors without their weights, and give {n_tensors}.

    Raises EngineFailed when it refuses the file."""
    params = _model_params(api)
    params.no_alloc, params.load_mode = True, _LOAD_MODE_NONE
    with _loaded(api, log, model, params):
        found = re.search(r"and (\d+) tensors", "".join(log))
        return {"n_tensors": int(found[1]) if found else 0}


def try_file(api: Any, log: list[str], model: Path, n_tokens: int, n_threads: int, most_s: float) -> JsonObject:
    """Load the whole model, let it go on from a few words, and give {greedy_tokens, at_once, n_layers}.

    n_tokens: up to 32. most_s: see greedy. Memory does not grow with the file (mapped_pages.py).
    Raises EngineFailed when there can be no model or no context."""
    with limited_mappings(), _loaded(api, log, model, _model_params(api)) as handle:
        done = _answer(api, handle, n_tokens, n_threads, most_s)
        n_layers = api.llama_model_n_layer(handle)
    return {"greedy_tokens": done.n_tokens, "at_once": done.n_at_once, "n_layers": n_layers}


def greedy(decode: Decode, prompt: Sequence[int], n_tokens: int, most_s: float) -> Greedy:
    """Choose n_tokens greedily, one after the other for most_s seconds, and those that are left in a single pass.

    Each pass reads every weight: from a disk that would take long. In the last one the words between are given, not
    chosen, so that its tokens do not wait for each other."""
    began = time.monotonic()
    chosen = decode(prompt, 1)
    made = len(chosen)
    while chosen and made < n_tokens:
        if time.monotonic() - began >= most_s:
            at_once = decode([chosen[-1], *islice(cycle(prompt), n_tokens - made - 1)], n_tokens - made)
            return Greedy(made + len(at_once), len(at_once))
        chosen = decode(chosen, 1)
        made += len(chosen)
    return Greedy(made, 0)


def last_words(log: Sequence[str]) -> str:
    """Give the end of llama.cpp's log on one line."""
    return " ".join("".join(log[-4:]).split())[-300:]


def _model_params(api: Any) -> Any:
    params = api.llama_model_default_params()
    params.n_gpu_layers, params.use_extra_bufts = 0, False  # no second copy of weights in another order
    params.devices = ctypes.addressof(_NO_DEVICES)
    return params


@contextmanager
def _loaded(api: Any, log: list[str], model: Path, params: Any) -> Iterator[Any]:
    log.clear()
    handle = api.llama_model_load_from_file(os.fsencode(model), params)
    if not handle:
        raise EngineFailed(f"llama.cpp cannot load what was written: {last_words(log)}")
    try:
        yield handle
    finally:
        api.llama_model_free(handle)


def _answer(api: Any, handle: Any, n_tokens: int, n_threads: int, most_s: float) -> Greedy:
    params = api.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = _N_CONTEXT, _MOST_AT_ONCE, _MOST_AT_ONCE
    params.n_threads = params.n_threads_batch = n_threads
    context = api.llama_init_from_model(handle, params)
    if not context:
        raise EngineFailed("llama.cpp loads what was written, but cannot make a context for it.")
    try:
        with _decoder(api, handle, context) as decode:
            return greedy(decode, _prompt(api, handle), n_tokens, most_s)
    finally:
        api.llama_free(context)


def _prompt(api: Any, handle: Any) -> list[int]:
    """Give the ids of a few words; a vocabulary that has none for them gives its first token."""
    ids = (api.llama_token * _MOST_AT_ONCE)()
    vocab = api.llama_model_get_vocab(handle)
    count = api.llama_tokenize(vocab, _PROMPT, len(_PROMPT), ids, _MOST_AT_ONCE, True, False)
    return list(ids[: max(count, 1)])


@contextmanager
def _decoder(api: Any, handle: Any, context: Any) -> Iterator[Decode]:
    n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(handle))
    batch = api.llama_batch_init(_MOST_AT_ONCE, 0, 1)
    n_read = 0

    def decode(tokens: Sequence[int], n_outputs: int) -> list[int]:
        nonlocal n_read
        first_output = len(tokens) - n_outputs
        _fill(batch, tokens, n_read, first_output)
        n_read += len(tokens)
        if api.llama_decode(context, batch):
            return []
        return _likeliest(api, context, range(first_output, len(tokens)), n_vocab)

    try:
        yield decode
    finally:
        api.llama_batch_free(batch)


def _fill(batch: Any, tokens: Sequence[int], n_before: int, first_output: int) -> None:
    """Put tokens of one sequence into a batch; those from first_output on are to give logits."""
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.logits[i] = token, n_before + i, i >= first_output
        batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0


def _likeliest(api: Any, context: Any, rows: range, n_vocab: int) -> list[int]:
    chosen: list[int] = []
    for row in rows:
        logits = api.llama_get_logits_ith(context, row)
        values = np.ctypeslib.as_array(logits, (n_vocab,)) if logits else np.array([np.nan])
        if not np.isfinite(values).all():
            break
        chosen.append(int(values.argmax()))
    return chosen
