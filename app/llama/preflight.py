"""llama.cpp asked whether it can load a file, without its weights: all that an engine does before it reads them.

Must run in a child: an odd file makes llama.cpp end its process (an assertion, an exception that nobody catches).
"""

import re
from pathlib import Path
from typing import Any

from app.core.errors import AppError, BadFile, EngineFailed, UnsupportedModel
from app.llama.bindings import engine_version
from app.llama.logs import LogCollector
from app.llama.parameters import LOAD_MODE_NONE, ContextSize, Placement, context_parameters, model_parameters
from app.llama.session_vocab import Vocabulary

# Small, as the graphs that are laid out have the same nodes at any size.
_SIZE = ContextSize(context=256, kv_type="f16", n_ubatch=32, parallel=1, n_outputs_max=1)
# Plain words, as a text in a script that a vocabulary lacks says nothing about the file.
_TEXT = "Hello, world!\n1 + 1 = 2"
_NO_TOKENIZER = 0  # llama.h, LLAMA_VOCAB_TYPE_NONE
_AGAIN = "The file is damaged, or is no language model: download or convert it again."
_UNKNOWN = re.compile(
    r"unknown model architecture|unknown pre-tokenizer|unknown tokenizer|unsupported model architecture"
)

_NO_ROOM = re.compile(r"bad_alloc|failed to allocate|out of memory", re.IGNORECASE)


def rehearse(llama: Any, path: Path) -> None:
    """Read a model's header, vocabulary and tensor table, lay out its graphs and cut a text into tokens.

    llama: the bindings, started. Raises BadFile or UnsupportedModel with llama.cpp's own words; EngineFailed when
    memory ran out.
    """
    log = LogCollector(llama)
    parameters = model_parameters(llama, Placement(n_gpu_layers=0))
    parameters.struct.no_alloc = True
    # AUTO and MMAP abort the process together with no_alloc (GGML_ASSERT in llama-model.cpp).
    parameters.struct.load_mode = LOAD_MODE_NONE
    model = llama.llama_model_load_from_file(str(path).encode(), parameters.struct)
    if not model:
        raise _refusal(path, log.last_error())
    context = llama.llama_init_from_model(model, context_parameters(llama, _SIZE))
    if not context:
        raise _refusal(path, log.last_error())
    if llama.llama_vocab_type(llama.llama_model_get_vocab(model)) == _NO_TOKENIZER:
        raise UnsupportedModel(
            f"{path.name} holds no vocabulary, so it can neither read nor write text.", hint="Choose another model."
        )
    vocabulary = Vocabulary(llama, model)
    tokens = vocabulary.tokenize(_TEXT, add_special=True)
    if any(not 0 <= token < vocabulary.size for token in tokens):
        raise BadFile(f"{path.name} has a tokenizer that cannot read {_TEXT!r}.", hint=_AGAIN)
    vocabulary.pieces(tokens)
    llama.llama_free(context)
    llama.llama_model_free(model)


def _refusal(path: Path, reason: str) -> AppError:
    if _NO_ROOM.search(reason):  # no word about the file
        return EngineFailed(f"There was no memory to try {path.name} ({reason}).", hint="Close other programs.")
    what = f"llama.cpp (llama-cpp-python {engine_version()}) cannot load {path.name}: {reason.strip().rstrip('.')}."
    if _UNKNOWN.search(reason):
        return UnsupportedModel(what, hint="A newer engine may know this model: update Pronk, or choose another.")
    return BadFile(what, hint=_AGAIN)
