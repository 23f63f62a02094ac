"""Converts a checkpoint: first everything that headers tell, then one pass over the weights."""

import hashlib
import logging
import os
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from converters.blocks import Block, blocks_of
from converters.checkpoint import Checkpoint, open_checkpoint
from converters.errors import BadCheckpoint, BadRequest
from converters.events import Cancel, Listener
from converters.families.base import Family
from converters.flusher import flushed_in_the_background
from converters.general import file_metadata, general_metadata
from converters.ggml import Kernels
from converters.gguf_header import encode_header
from converters.helper import Helper
from converters.jsonfile import JsonObject
from converters.mapping import SourceTensor, map_tensors
from converters.native_check import Types, choose_types
from converters.output import PartFile, Parts, check_disk, fingerprint_of, part_files
from converters.plan import OutputFile, peak_memory_bytes, plan_file
from converters.quant_rules import choose
from converters.quant_types import FILE_TYPES, UNQUANTIZED, FileType, GgmlType, header_number, wide_type
from converters.quantize import Workshop, convert_blocks, targets_of
from converters.registry import find_family
from converters.self_check import check_files, check_numbers
from converters.tokenizer.detect import Parity, detect
from converters.tokenizer.load import LoadedTokenizer, load_tokenizer
from converters.tokenizer.probe_texts import probe_texts
from converters.values import Value

_MAX_THREADS = 256
_MAX_NAME_BYTES = 200  # the type and the journal's ending come behind it, and most disks take 255
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What to convert, to which types, and where to."""

    folder: Path
    types: tuple[str, ...]
    output: Path | None = None
    n_threads: int = 0
    with_trial: bool = True

    @property
    def threads(self) -> int:
        """Worker threads; 0 means one for each CPU that this process may use."""
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(self.n_threads or usable, _MAX_THREADS)


@dataclass(frozen=True)
class Prepared:
    """A checkpoint whose headers were read and found sound."""

    checkpoint: Checkpoint
    class_name: str
    family: Family
    sources: list[SourceTensor]
    dropped: list[str]
    wide: GgmlType
    tokenizer: LoadedTokenizer
    general: dict[str, Value]
    file_types: list[FileType]
    types: list[Types]
    paths: list[Path]
    warnings: list[str]

    def tokenizer_metadata(self, pre: str | None) -> dict[str, Value]:
        """Give all tokenizer.* values of a file, with the pre-tokenizer of that name, or none."""
        named = self.tokenizer.ids_of(self.family.SPECIAL_TOKENS)
        return {**self.tokenizer.metadata(pre), **named, **self.family.tokenizer_values(self.tokenizer.config)}

    def files(self, pre: str) -> list[OutputFile]:
        """Lay out every file, with the tokenizer's pre-tokenizer of that name."""
        tokenizer = self.tokenizer_metadata(pre)
        shared = {**self.general, **self.family.metadata()}
        shapes = {source.name: source.shape for source in self.sources}
        kept = _packed(self.sources)
        first_step = choose(FILE_TYPES[self.wide.name], self.family.model_sizes(), shapes, self.wide, kept)
        return [
            plan_file(
                path,
                kind,
                {**shared, **file_metadata(header_number(kind, types.values())), **tokenizer},
                types,
                self.sources,
                None if kind.name in UNQUANTIZED else first_step,
            )
            for path, kind, types in zip(self.paths, self.file_types, self.types, strict=True)
        ]


def prepare(request: Request, helper: Helper, cancel: Cancel) -> Prepared:
    """Read headers, config and tokenizer, and choose the types; no weight is read and nothing written."""
    file_types = list(dict.fromkeys(_file_type(name) for name in request.types))
    checkpoint = open_checkpoint(request.folder)
    class_name, family_class = find_family(checkpoint.config)
    family = family_class.from_config(checkpoint.config, checkpoint.tensors.keys())
    tokenizer = _load_tokenizer(checkpoint, family)
    cancel.check()
    mapped = map_tensors(checkpoint, family, tokenizer.n_tokens)
    sources, wide = mapped.sources, _wide_type(checkpoint, family)
    cancel.check()
    shapes = {source.name: source.shape for source in sources}
    general = tokenizer.named(general_metadata(checkpoint.folder, family.ARCHITECTURE, shapes))
    metadata = {**general, **family.metadata()}
    types, warnings = choose_types(file_types, family.model_sizes(), metadata, sources, wide, helper, _packed(sources))
    paths = _output_paths(request.output, checkpoint.folder, file_types)
    return Prepared(
        checkpoint=checkpoint,
        class_name=class_name,
        family=family,
        sources=sources,
        dropped=mapped.dropped,
        wide=wide,
        tokenizer=tokenizer,
        general=general,
        file_types=file_types,
        types=types,
        paths=paths,
        warnings=warnings,
    )


def _packed(sources: Sequence[SourceTensor]) -> dict[str, GgmlType]:
    """Give the tensors that stay as the checkpoint packs them."""
    return {source.name: source.transform.packed for source in sources if source.transform.packed is not None}


def _load_tokenizer(checkpoint: Checkpoint, family: Family) -> LoadedTokenizer:
    n_vocab = family.config.get("vocab_size")
    if type(n_vocab) is not int:
        raise BadCheckpoint("config.json has no vocab_size.")
    return load_tokenizer(checkpoint.folder, checkpoint.config, n_vocab, family.PRE_TOKENIZERS, family.TOKENIZERS)


def dry_run(request: Request, cancel: Cancel) -> JsonObject:
    """Give the exact plan: tensors with types, bytes of output, disk and memory needed."""
    with Helper(cancel) as helper:
        prepared = prepare(request, helper, cancel)
    files = prepared.files(prepared.tokenizer.candidates[0])
    tensors = [[_tensor_entry(tensor.source, tensor.type) for tensor in file.tensors] for file in files]
    sizes = [file.size_bytes for file in files]
    return {
        "architecture": prepared.family.ARCHITECTURE,
        "hf_class": prepared.class_name,
        "types": [kind.name for kind in prepared.file_types],
        "files": [str(file.path) for file in files],
        "tensors": _single(tensors),
        "output_bytes": _single(sizes),
        "needed_disk_bytes": sum(sizes),
        "dropped": prepared.dropped,
        "peak_memory_bytes": peak_memory_bytes(
            prepared.sources, files, request.threads, prepared.tokenizer.n_tokens, request.with_trial
        ),
        "metadata": _plain({**prepared.general, **prepared.family.metadata()}),
        "n_vocab": prepared.tokenizer.n_tokens,
        "source_files": len({stored.path for stored in prepared.checkpoint.tensors.values()}),
        "source_bytes": prepared.checkpoint.size_bytes,
        "warnings": prepared.warnings,
    }


def convert(request: Request, cancel: Cancel, listener: Listener) -> JsonObject:
    """Write the files and give the result; raises a ConvertError, with nothing half-written left in view."""
    start = time.monotonic()
    with Helper(cancel) as helper:
        prepared = prepare(request, helper, cancel)
        guessed = prepared.files(prepared.tokenizer.candidates[0])
        check_disk(guessed)
        listener.progress("read", 0, prepared.checkpoint.size_bytes, "tokenizer")
        parity = find_parity(prepared, helper, cancel)
        files = prepared.files(parity.pre)
        written = _write(prepared, files, request, helper, cancel, listener)
    return {
        "files": [
            {"path": str(file.path), "type": file.file_type.name, "size_bytes": file.size_bytes, "sha256": digest}
            for file, digest in zip(files, written.digests, strict=True)
        ],
        "architecture": prepared.family.ARCHITECTURE,
        "hf_class": prepared.class_name,
        "elapsed_s": round(time.monotonic() - start, 3),
        "tokenizer_parity": {"checked": parity.checked, "equal": parity.equal, "pre": parity.pre},
        "self_check": _single(written.checks),
        "resumed_bytes": written.resumed_bytes,
        "dropped": prepared.dropped,
        "warnings": prepared.warnings + _parity_warnings(parity) + written.warnings,
    }


def find_parity(prepared: Prepared, helper: Helper, cancel: Cancel) -> Parity:
    """Find the pre-tokenizer by a file that holds nothing but the tokenizer."""
    tokenizer = prepared.tokenizer
    metadata = {**prepared.general, **prepared.family.metadata(), **prepared.tokenizer_metadata(None)}
    with TemporaryDirectory(prefix="pronk-") as folder:
        path = Path(folder) / "vocab.gguf"
        path.write_bytes(encode_header(metadata, ()))
        texts = probe_texts(tokenizer.special_tokens)
        return detect(path, tokenizer.candidates, texts, tokenizer.reference, helper, cancel)


@dataclass(frozen=True)
class _Written:
    digests: list[str]
    resumed_bytes: int
    checks: list[JsonObject]
    warnings: list[str]


def _write(
    prepared: Prepared,
    files: Sequence[OutputFile],
    request: Request,
    helper: Helper,
    cancel: Cancel,
    listener: Listener,
) -> _Written:
    """Write the files, check them, and bring them into view."""
    inputs = [tensor.path for tensor in prepared.checkpoint.tensors.values()]
    fingerprint = fingerprint_of(files, inputs)
    with part_files(files, fingerprint) as parts:
        with flushed_in_the_background(parts):
            resumed_bytes = _quantize(prepared, parts, request.threads, cancel, listener)
            with ThreadPoolExecutor(1, thread_name_prefix="digest") as pool:  # beside the trial
                digesting = pool.submit(_digests, parts.files, cancel, listener)
                checking = pool.submit(check_numbers, parts.files, Kernels(), cancel)
                checks, warnings = check_files(parts.files, helper, request.threads, request.with_trial)
                digests = digesting.result()
                checking.result()
        if fingerprint_of(files, inputs) != fingerprint:
            raise BadCheckpoint(
                f"The files in {prepared.checkpoint.folder} changed while they were converted.",
                hint="Wait until their download is over, then convert again.",
            )
        _finish(parts, cancel, listener)
    return _Written(digests, resumed_bytes, checks, warnings)


def _finish(parts: Parts, cancel: Cancel, listener: Listener) -> None:
    """Flush every file, then rename them all: from then on they are in view."""
    total = sum(part.plan.size_bytes for part in parts.files)
    done = 0
    for part in parts.files:
        listener.progress("write", done, total, part.plan.path.name)
        cancel.check()
        part.flush()
        done += part.plan.size_bytes
    parts.journal.mark_complete()
    for part in parts.files:
        part.finish()
    listener.progress("write", total, total, "")


def _quantize(prepared: Prepared, parts: Parts, n_threads: int, cancel: Cancel, listener: Listener) -> int:
    """Convert what is not done yet; gives the bytes that were."""
    total = sum(source.stored_bytes for source in prepared.sources)
    before = frozenset(parts.journal.done)
    numbered = enumerate(blocks_of(prepared.sources)) if before else ()
    done = resumed_bytes = sum(block.size_bytes for number, block in numbered if number in before)
    todo = ((number, block) for number, block in enumerate(blocks_of(prepared.sources)) if number not in before)
    listener.progress("quantize", min(done, total), total, "")

    def on_block(number: int, block: Block) -> None:
        nonlocal done
        parts.journal.add(number)
        done += block.size_bytes
        listener.progress("quantize", min(done, total), total, block.pieces[0].source.name)

    convert_blocks(todo, Workshop(targets_of(parts.files), Kernels(), cancel), n_threads, on_block)
    return resumed_bytes


def _digests(parts: Sequence[PartFile], cancel: Cancel, listener: Listener) -> list[str]:
    total, done, digests = sum(part.plan.size_bytes for part in parts), 0, []
    for part in parts:
        digest = hashlib.sha256()
        for chunk in part.chunks():
            cancel.check()
            digest.update(chunk)
            done += len(chunk)
            listener.progress("check", done, total, part.plan.path.name)
        digests.append(digest.hexdigest())
    return digests


def _file_type(name: str) -> FileType:
    kind = FILE_TYPES.get(name.upper())
    if kind is None:
        raise BadRequest(f"There is no type {name}.", hint=f"Choose from {', '.join(FILE_TYPES)}.")
    return kind


def _wide_type(checkpoint: Checkpoint, family: Family) -> GgmlType:
    """Give the type of the two steps' first file, of what the family does not drop: see quant_types.wide_type."""
    narrow = {name: t for name, t in checkpoint.tensors.items() if len(t.shape) > 1 and t.item_bytes == 2}
    for name in sorted(narrow, key=lambda name: (narrow[name].path.name, name)):
        if not family.drops(family.canonical(name)):
            return wide_type([narrow[name]])
    return wide_type([])


def _output_paths(output: Path | None, folder: Path, file_types: Sequence[FileType]) -> list[Path]:
    """Give each file's path: the output itself if it is a .gguf name, else files named after the model in it."""
    if output is not None and output.suffix == ".gguf" and not output.is_dir():
        if len(file_types) > 1:
            raise BadRequest(f"One file, {output.name}, cannot hold several types.", hint="Give a folder as output.")
        return [output.absolute()]
    home = (output or Path.cwd()).absolute()
    return [home / f"{model_name(folder)}-{kind.name}.gguf" for kind in file_types]


def model_name(folder: Path) -> str:
    """Give a file name for the model: its folder's, or the repository's for a snapshot in the Hub's cache."""
    real = folder.resolve()
    cached = re.fullmatch(r"models--(?:.+--)?(.+)", real.parent.parent.name)
    name = cached[1] if cached and real.parent.name == "snapshots" else real.name
    clean = re.sub(r"[^\w.+-]+", "-", name).strip("-.")
    return clean.encode()[:_MAX_NAME_BYTES].decode(errors="ignore") or "model"


def _tensor_entry(source: SourceTensor, kind: GgmlType) -> JsonObject:
    return {"name": source.name, "type": kind.name, "shape": list(source.shape)}


def _plain(metadata: Mapping[str, Value]) -> JsonObject:
    """Give the values as JSON has them: what a planner needs to judge a file that is not there yet."""
    return {key: value.data for key, value in metadata.items()}


def _single(values: Sequence[object]) -> object:
    return values[0] if len(values) == 1 else values


def _parity_warnings(parity: Parity) -> list[str]:
    if parity.equal == parity.checked:
        return []
    warning = (
        f"The tokenizer gives other ids than the original on {parity.checked - parity.equal} of {parity.checked} "
        f"texts, first on {parity.first_difference!r}; the nearest pre-tokenizer, {parity.pre}, was taken."
    )
    _log.warning("%s", warning)
    return [warning]
