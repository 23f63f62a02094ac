"""Turns a GGUF header into the facts that planning and listing need."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path, PurePath
from typing import Any

from app.core.bytesource import ByteSource, FileSource
from app.core.errors import BadFile
from app.library.facts import ModelFacts, SkippedArray, TensorInfo
from app.library.ggml_types import FILE_TYPES, GGML_TYPES
from app.library.header import Header, read_header
from app.library.sanity import check_hyperparameters

_TYPE_NUMBERS = {kind.name: number for number, kind in GGML_TYPES.items()}
_VERSION, _ALIGNMENT, _TEXT = 3, 32, 8  # of the files that the converter writes
MAX_PARTS = 999
_PART_NAME = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)


def read_facts(path: Path) -> ModelFacts:
    """Read the facts of a local model; of one split into several files, name the first.

    Raises BadFile when the file, or another part of it, is missing, damaged or no GGUF.
    """
    if path.is_dir():
        raise BadFile(f"{path} is a folder, not a model file.", hint="Choose a .gguf file.")
    with FileSource(path) as source:
        header = read_header(source)
        facts = facts_from_header(header, source.name, source.size_bytes)
    n_parts = int_at(header.metadata, "split.count")
    return facts if n_parts < 2 else _with_other_parts(facts, path, n_parts)


def facts_of(source: ByteSource) -> ModelFacts:
    """Read the facts of a model from any source of bytes; of a split model, this part's."""
    return facts_from_header(read_header(source), source.name, source.size_bytes)


def facts_from_header(header: Header, name: str, size_bytes: int) -> ModelFacts:
    """Return the facts that a header holds; raises BadFile when they would make llama.cpp abort."""
    metadata, tensors = header.metadata, header.tensors
    is_later_part = int_at(metadata, "split.no") > 0
    architecture = text_at(metadata, "general.architecture")
    if not architecture and not is_later_part:
        raise BadFile(
            f"{name} does not name its architecture (general.architecture).",
            hint="It holds no language model, or was made by a faulty program; choose another file.",
        )
    facts = ModelFacts(
        path=name,
        size_bytes=size_bytes,
        architecture=architecture,
        name=text_at(metadata, "general.name") or PurePath(name).stem,
        parameters=_parameters(tensors),
        file_type=_file_type(metadata, tensors),
        n_layers=int_at(metadata, f"{architecture}.block_count"),
        context_length=int_at(metadata, f"{architecture}.context_length"),
        n_vocab=_n_vocab(metadata, architecture),
        chat_template=_chat_template(metadata),
        license=text_at(metadata, "general.license"),
        metadata=metadata,
        tensors=tensors,
    )
    check_hyperparameters(facts)
    return facts


def foretold_facts(
    path: str,
    size_bytes: int,
    file_type: str,
    metadata: Mapping[str, Any],
    n_vocab: int,
    tensors: Sequence[Mapping[str, Any]],
) -> ModelFacts:
    """Return the facts of a file that is not written yet, by the rules that its header will be read by.

    metadata: without the tokenizer's lists. tensors: {name, type, shape}, the type by its name, the shape outermost
    first. Raises BadFile as `facts_from_header` does, and for a type without a number.
    """
    whole: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in metadata.items()}
    whole["tokenizer.ggml.tokens"] = SkippedArray(_TEXT, n_vocab, 0)
    whole["general.file_type"] = next((n for n, name in FILE_TYPES.items() if name == file_type), -1)
    infos = tuple(_foretold_tensor(path, tensor) for tensor in tensors)
    return facts_from_header(Header(_VERSION, whole, (), infos, _ALIGNMENT, 0), path, size_bytes)


def _foretold_tensor(path: str, tensor: Mapping[str, Any]) -> TensorInfo:
    number = _TYPE_NUMBERS.get(tensor["type"])
    if number is None:
        raise BadFile(f"{path} would hold the type {tensor['type']}, which is not known here.", hint="Update Pronk.")
    shape = tuple(int(length) for length in reversed(tensor["shape"]))
    return TensorInfo(str(tensor["name"]), shape, number, 0, GGML_TYPES[number].size_bytes(shape))


def text_at(metadata: Mapping[str, Any], key: str) -> str:
    """Return a text of the metadata; a list of texts is joined, anything else is empty."""
    value = metadata.get(key, "")
    if isinstance(value, tuple):
        return ", ".join(item for item in value if isinstance(item, str))
    return value if isinstance(value, str) else ""


def int_at(metadata: Mapping[str, Any], key: str) -> int:
    """Return a whole number of the metadata, 0 when it is missing or something else."""
    value = metadata.get(key, 0)
    return value if isinstance(value, int) else 0


def _parameters(tensors: tuple[TensorInfo, ...]) -> int:
    return sum(prod(tensor.shape) for tensor in tensors)


def _file_type(metadata: Mapping[str, Any], tensors: tuple[TensorInfo, ...]) -> str:
    named = FILE_TYPES.get(metadata.get("general.file_type", -1)) if "general.file_type" in metadata else None
    if named:
        return named
    elements: Counter[int] = Counter()
    for tensor in tensors:
        elements[tensor.ggml_type] += prod(tensor.shape)
    return GGML_TYPES[elements.most_common(1)[0][0]].name if elements else ""


def _n_vocab(metadata: Mapping[str, Any], architecture: str) -> int:
    tokens = metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, SkippedArray):
        return tokens.length
    return len(tokens) if isinstance(tokens, tuple) else int_at(metadata, f"{architecture}.vocab_size")


def _chat_template(metadata: Mapping[str, Any]) -> str:
    """Return the default template, else the first of the named ones; one longer than 1 MiB counts as none."""
    prefix = "tokenizer.chat_template"
    default = metadata.get(prefix)
    if isinstance(default, tuple):
        default = next((item for item in default if isinstance(item, str)), "")
    if isinstance(default, str) and default:
        return default
    named = (text_at(metadata, key) for key in metadata if key.startswith(f"{prefix}."))
    return text_at(metadata, f"{prefix}.default") or next(named, "")


def part_paths(path: Path) -> list[Path]:
    """Return the files of a model in their order, by its name: one, or those of "model-00001-of-00003.gguf"."""
    match = _PART_NAME.fullmatch(path.name)
    count = int(match["count"]) if match else 1
    if match is None or not 2 <= count <= MAX_PARTS:
        return [path]
    return [path.with_name(f"{match['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]


def _with_other_parts(facts: ModelFacts, path: Path, n_parts: int) -> ModelFacts:
    match = _PART_NAME.fullmatch(path.name)
    if match is None or int(match["count"]) != n_parts:
        raise BadFile(
            f"{path} is one part of a model in {n_parts} files, but its name does not say which.",
            hint=f"Give the parts their names back, like model-00001-of-{n_parts:05}.gguf.",
        )
    if n_parts > MAX_PARTS:
        raise BadFile(
            f"{path} claims to be one of {n_parts} parts; {MAX_PARTS} are allowed.", hint="Download the model again."
        )
    parts = part_paths(path)
    missing = [part.name for part in parts if not part.exists()]
    if missing:
        raise BadFile(
            f"{path} is one part of a model in {n_parts} files; {len(missing)} missing: {', '.join(missing[:4])}.",
            hint=f"Put all parts into {path.parent}.",
        )
    if int(match["number"]) != 1:
        raise BadFile(f"{path} is not the first part of its model.", hint=f"Choose {parts[0].name} instead.")
    for part in parts[1:]:
        facts = _joined(facts, part)
    return facts


def _joined(facts: ModelFacts, part: Path) -> ModelFacts:
    other = facts_of_part(part)
    return replace(
        facts,
        size_bytes=facts.size_bytes + other.size_bytes,
        parameters=facts.parameters + other.parameters,
        tensors=facts.tensors + other.tensors,
    )


def facts_of_part(part: Path) -> ModelFacts:
    """Read the facts of one part of a split model alone."""
    with FileSource(part) as source:
        return facts_of(source)
