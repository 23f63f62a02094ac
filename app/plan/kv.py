"""The memory of a conversation: attention's keys and values, and recurrent states.

Source: llama.cpp src/llama-kv-cache.cpp, llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp, llama-hparams.cpp and the
load_arch_hparams of src/models/*.cpp. Exact for plain, sliding-window, MLA and Mamba-like layers; an architecture with
caches of its own (sparse indexers) is left to the dry run.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from app.library.facts import ModelFacts
from app.plan.values import Candidate, KvType
from app.plan.weights import Padding, n_main_layers, pad

CONTEXT_STEP = 256
# Bytes of a block and its elements, ggml-common.h.
KV_BLOCKS: dict[KvType, tuple[int, int]] = {"f16": (2, 1), "q8_0": (34, 32), "q4_0": (18, 32)}


@dataclass(frozen=True)
class SlidingWindow:
    """Which layers of an architecture see a window only, when the file does not list them.

    every `period`-th layer is full (the first of each group when `full_first`); `window` is the default width.
    """

    period: int
    full_first: bool = False
    window: int = 0
    needs_key: bool = False


SLIDING_WINDOWS: dict[str, SlidingWindow] = {
    "afmoe": SlidingWindow(4, needs_key=True),
    "cohere2": SlidingWindow(4),
    "cohere2moe": SlidingWindow(4, full_first=True),
    "exaone-moe": SlidingWindow(4, window=128),
    "exaone4": SlidingWindow(4, window=4096),
    "gemma-embedding": SlidingWindow(6),
    "gemma2": SlidingWindow(2, window=4096),
    "gemma3": SlidingWindow(6, needs_key=True),
    "gemma3n": SlidingWindow(5),
    "gemma4": SlidingWindow(6),
    "gpt-oss": SlidingWindow(2),
    "granite-swa": SlidingWindow(4),
    "laguna": SlidingWindow(4, full_first=True, needs_key=True),
    "llama4": SlidingWindow(4, window=8192),
    "mellum": SlidingWindow(4, needs_key=True),
    "mimo2": SlidingWindow(4),
    "muse-glimmer": SlidingWindow(4),
    "olmo2": SlidingWindow(4, needs_key=True),
    "plamo3": SlidingWindow(8, needs_key=True),
    "smallthinker": SlidingWindow(4, full_first=True, window=4096, needs_key=True),
    "step35": SlidingWindow(4),
}
# Their files name another width, which llama.cpp does not heed.
FIXED_WINDOW = frozenset({"llama4", "smallthinker"})
# Of these only the first so many layers own a cache (llama.cpp n_layer_kv_from_start).
LAYERS_WITH_CACHE = {"gemma3n": 20}
WITHOUT_FLASH_ATTENTION = frozenset({"grok"})
NO_CACHE = frozenset(
    {"bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "neo-bert", "eurobert", "modern-bert"}
    | {"gemma-embedding", "wavtokenizer-dec", "dream", "llada", "llada-moe", "rnd1"}
)
RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
HYBRID_BY_INTERVAL = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "qwen4exp": 4, "minimax-01": 8}
# Their layers without KV heads are recurrent.
HYBRID_BY_HEADS = frozenset(
    {"jamba", "plamo2", "granitehybrid", "lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe", "kimi-linear"}
)


class LayerCache(NamedTuple):
    """What one layer keeps: elements of K and V for each cell, its window (0: everything), bytes for each sequence."""

    k_width: int = 0
    v_width: int = 0
    window: int = 0
    state_bytes: int = 0


def kv_types(facts: ModelFacts) -> tuple[KvType, ...]:
    """Return the types that llama.cpp takes for a model's cache.

    A quantized one needs flash attention and heads of whole blocks.
    Source: llama-context.cpp, llama_init_from_model.
    """
    if facts.architecture in WITHOUT_FLASH_ATTENTION:
        return ("f16",)
    sizes = [size for layer in _unlike_layers(facts) for size in _head_sizes(facts, layer, windowed=False)]
    return ("f16", "q8_0", "q4_0") if all(size % KV_BLOCKS["q8_0"][1] == 0 for size in sizes) else ("f16",)


def layer_caches(facts: ModelFacts) -> tuple[LayerCache, ...]:
    """Return what each layer keeps; layers of a draft head keep nothing in the main context."""
    if facts.architecture in NO_CACHE:
        return (LayerCache(),) * facts.n_layers
    n_caching = min(n_main_layers(facts), _caching_layers(facts))
    windows = _windows(facts)
    recurrent = _recurrent_layers(facts)
    state_bytes = _state_bytes(facts) if any(recurrent) else 0
    heads, kv_heads = (layer_values(facts, f"attention.{key}") for key in ("head_count", "head_count_kv"))
    known: dict[tuple[object, ...], LayerCache] = {}
    caches = []
    for layer, kind in enumerate(zip(heads, kv_heads, windows, recurrent, strict=True)):
        if kind not in known:
            known[kind] = _layer_cache(facts, layer, windows[layer], recurrent[layer], state_bytes)
        caches.append(known[kind] if layer < n_caching else LayerCache())
    return tuple(caches)


def _unlike_layers(facts: ModelFacts) -> list[int]:
    """Return the first layer of each number of heads."""
    if not isinstance(facts.hyperparameter("attention.head_count"), tuple):
        return list(range(min(1, facts.n_layers)))
    first: dict[object, int] = {}
    for layer, heads in enumerate(layer_values(facts, "attention.head_count")):
        first.setdefault(heads, layer)
    return list(first.values())


def layer_values(facts: ModelFacts, key: str) -> tuple[object, ...]:
    """Return a hyperparameter of each layer, None where the file does not tell."""
    value = facts.hyperparameter(key)
    if not isinstance(value, tuple):
        return (value,) * facts.n_layers
    return (*value, *(None,) * facts.n_layers)[: facts.n_layers]


def _caching_layers(facts: ModelFacts) -> int:
    shared = int(facts.hyperparameter("attention.shared_kv_layers", 0) or 0)
    return LAYERS_WITH_CACHE.get(facts.architecture, facts.n_layers - shared)


def _layer_cache(facts: ModelFacts, layer: int, window: int, recurrent: bool, state_bytes: int) -> LayerCache:
    both = facts.architecture == "falcon-h1"
    if recurrent and not both:
        return LayerCache(state_bytes=state_bytes)
    n_kv_heads = _per_layer(facts, "attention.head_count_kv", layer, _head_count(facts, layer))
    k_size, v_size = _head_sizes(facts, layer, windowed=bool(window))
    if facts.hyperparameter("attention.key_length_mla"):
        v_size = 0
    return LayerCache(k_size * n_kv_heads, v_size * n_kv_heads, window, state_bytes if both else 0)


def _head_sizes(facts: ModelFacts, layer: int, windowed: bool) -> tuple[int, int]:
    """Return the elements of one head's K and V."""
    default = _head_size(facts, layer)

    def size(key: str) -> int:
        own = facts.hyperparameter(f"{key}_swa") if windowed else None
        return int(own or facts.hyperparameter(key) or default)

    return size("attention.key_length"), size("attention.value_length")


def _head_count(facts: ModelFacts, layer: int) -> int:
    return _per_layer(facts, "attention.head_count", layer, 0)


def _head_size(facts: ModelFacts, layer: int) -> int:
    n_heads = _head_count(facts, 0) or _head_count(facts, layer)
    return int(facts.hyperparameter("embedding_length", 0)) // n_heads if n_heads else 0


def _per_layer(facts: ModelFacts, key: str, layer: int, default: int) -> int:
    value: Any = facts.hyperparameter(key)
    if isinstance(value, tuple):
        return int(value[layer]) if layer < len(value) else default
    return default if value is None else int(value)


def _windows(facts: ModelFacts) -> list[int]:
    """Return each layer's window, 0 where it sees everything."""
    full = [0] * facts.n_layers
    rule = SLIDING_WINDOWS.get(facts.architecture)
    given = facts.hyperparameter("attention.sliding_window")
    if rule is None or (rule.needs_key and not given) or given == 0:
        return full
    if facts.architecture == "exaone4" and facts.n_layers != 64:
        return full
    window = rule.window if facts.architecture in FIXED_WINDOW else int(given or rule.window)
    pattern = facts.hyperparameter("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return [window if layer < len(pattern) and pattern[layer] else 0 for layer in range(facts.n_layers)]
    period = int(pattern or rule.period)
    return [window if _slides(layer, period, rule.full_first) else 0 for layer in range(facts.n_layers)]


def _slides(layer: int, period: int, full_first: bool) -> bool:
    return layer % period != 0 if full_first else layer % period < period - 1


def _recurrent_layers(facts: ModelFacts) -> list[bool]:
    layers = range(facts.n_layers)
    listed = facts.hyperparameter("attention.recurrent_layers")
    if isinstance(listed, tuple):
        return [bool(listed[layer : layer + 1] == (True,)) for layer in layers]
    if facts.architecture in RECURRENT or facts.architecture == "falcon-h1":
        return [True for _ in layers]
    if facts.architecture in HYBRID_BY_INTERVAL:
        interval = int(facts.hyperparameter("full_attention_interval") or HYBRID_BY_INTERVAL[facts.architecture])
        return [(layer + 1) % interval != 0 for layer in layers]
    if facts.architecture in HYBRID_BY_HEADS:
        return [
            _per_layer(facts, "attention.head_count_kv", layer, 1) == 0 and not _is_only_ffn(facts, layer)
            for layer in layers
        ]
    return [False for _ in layers]


def _is_only_ffn(facts: ModelFacts, layer: int) -> bool:
    if not facts.architecture.startswith("nemotron_h"):
        return False
    return _per_layer(facts, "feed_forward_length", layer, 0) != 0


def _state_bytes(facts: ModelFacts) -> int:
    """Return the F32 bytes of one recurrent layer's state for one sequence (llama_hparams::n_embd_r, n_embd_s)."""

    def number(key: str) -> int:
        value = facts.hyperparameter(key, 0)
        return int(max(value) if isinstance(value, tuple) else value or 0)

    n_embd = number("embedding_length")
    if wkv := number("wkv.head_size"):
        return 4 * ((number("token_shift_count") or 2) * n_embd + n_embd * wkv)
    if short := number("shortconv.l_cache"):
        return 4 * n_embd * (short - 1)
    conv = max(0, number("ssm.conv_kernel") - 1)
    if kda := number("kda.head_dim"):
        inner = number("attention.head_count") * kda
        return 4 * (3 * (conv or 3) * inner + kda * inner)
    inner, state = number("ssm.inner_size"), number("ssm.state_size")
    return 4 * (conv * (inner + 2 * number("ssm.group_count") * state) + state * inner)


def cache_bytes(layer: LayerCache, candidate: Candidate, padding: Padding) -> int:
    """Return what a layer's cache takes on a device with this rounding, one pool of cells for all sequences."""
    total = pad(layer.state_bytes * candidate.parallel, padding.alignment) if layer.state_bytes else 0
    cells = cells_of(layer, candidate)
    for width in (layer.k_width, layer.v_width):
        if width:
            total += pad(
                cells * row_bytes(width, candidate.kv_type) + _tail(width, candidate, padding), padding.alignment
            )
    return total


def cells_of(layer: LayerCache, candidate: Candidate) -> int:
    """Return how many tokens a layer keeps, whole blocks of 256."""
    cells = pad(candidate.context, CONTEXT_STEP)
    if not layer.window:
        return cells
    return pad(min(cells, layer.window * candidate.parallel + candidate.n_ubatch), CONTEXT_STEP)


def row_bytes(width: int, kv_type: KvType) -> int:
    """Return the bytes of `width` elements of a cache."""
    block_bytes, block = KV_BLOCKS[kv_type]
    return width // block * block_bytes


def _tail(width: int, candidate: Candidate, padding: Padding) -> int:
    if candidate.kv_type == "f16" or not padding.row or width % padding.row == 0:
        return 0
    return row_bytes(padding.row - width % padding.row, candidate.kv_type)
