"""ModelFacts as one line of JSON, for the index, and back."""

import json
from typing import Any

from app.library.facts import ModelFacts, SkippedArray, TensorInfo

_SKIPPED = "skipped_array"


def facts_to_json(facts: ModelFacts) -> str:
    """Return the facts as JSON; reading it back gives an equal value."""
    document = {name: getattr(facts, name) for name in _PLAIN_FIELDS}
    document["metadata"] = {key: _plain(value) for key, value in facts.metadata.items()}
    document["tensors"] = [
        [tensor.name, tensor.shape, tensor.ggml_type, tensor.offset_bytes, tensor.size_bytes]
        for tensor in facts.tensors
    ]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def facts_from_json(text: str) -> ModelFacts:
    """Return the facts that `facts_to_json` wrote."""
    document = json.loads(text)
    plain = {name: document[name] for name in _PLAIN_FIELDS}
    metadata = {key: _value(value) for key, value in document["metadata"].items()}
    tensors = tuple(
        TensorInfo(name, tuple(shape), ggml_type, offset, size)
        for name, shape, ggml_type, offset, size in document["tensors"]
    )
    return ModelFacts(**plain, metadata=metadata, tensors=tensors)


_PLAIN_FIELDS = (
    "path",
    "size_bytes",
    "architecture",
    "name",
    "parameters",
    "file_type",
    "n_layers",
    "context_length",
    "n_vocab",
    "chat_template",
    "license",
)


def _plain(value: Any) -> Any:
    if isinstance(value, SkippedArray):
        return {_SKIPPED: [value.item_type, value.length, value.offset_bytes]}
    return value


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return SkippedArray(*value[_SKIPPED])
    return tuple(value) if isinstance(value, list) else value
