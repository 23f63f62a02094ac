"""Asks llama.cpp which types it would choose for this very model, and takes its word where it differs.

A file with nothing but a header is enough: it is stretched to its full size without taking room on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from converters.errors import EngineFailed, UnsupportedModel
from converters.gguf_header import TensorInfo, encode_header, padded
from converters.helper import Helper
from converters.quant_rules import choose
from converters.quant_types import FILE_TYPES, UNQUANTIZED, FileType, GgmlType, ModelSizes, Shape, size_of
from converters.values import Metadata

Types = dict[str, GgmlType]


class NamedShape(Protocol):
    """A tensor of the file to be."""

    @property
    def name(self) -> str:
        """The GGUF name."""

    @property
    def shape(self) -> Shape:
        """Outermost dimension first."""


def choose_types(
    file_types: Sequence[FileType],
    model: ModelSizes,
    metadata: Metadata,
    sources: Sequence[NamedShape],
    wide: GgmlType,
    helper: Helper,
    kept: Mapping[str, GgmlType] | None = None,
) -> tuple[list[Types], list[str]]:
    """Give each file's types, checked, and a warning for each disagreement.

    metadata: general.* and the architecture's values; the tokenizer is not needed. kept: tensors that are stored
    quantized and stay so (quant_rules.choose). Where llama.cpp cannot tell, because it refuses the header or its
    process dies, the table stands and a warning says so."""
    shapes = {source.name: source.shape for source in sources}
    ours = [choose(file_type, model, shapes, wide, kept) for file_type in file_types]
    asked = [file_type for file_type in file_types if file_type.name not in UNQUANTIZED]
    if not asked:
        return ours, []
    theirs, warnings = _ask(asked, metadata, choose(FILE_TYPES[wide.name], model, shapes, wide, kept), shapes, helper)
    types = []
    for file_type, mine in zip(file_types, ours, strict=True):
        differences: list[str] = []
        if file_type.name in theirs:
            mine, differences = _agree(file_type, mine, theirs[file_type.name], kept or {})
        types.append(mine)
        warnings += differences
    return types, warnings


def _ask(
    asked: Sequence[FileType], metadata: Metadata, types: Types, shapes: Mapping[str, Shape], helper: Helper
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Give llama.cpp's word on each file type as far as it has one, and a warning if it has none."""
    answers: dict[str, dict[str, str]] = {}
    try:
        with TemporaryDirectory(prefix="pronk-") as folder:
            path = Path(folder) / "header.gguf"
            _write_hollow(path, metadata, types, shapes)
            for file_type in asked:
                answer = helper.ask(do="types", model=str(path), file_types=[file_type.name])["types"]
                answers[file_type.name] = answer[0]
    except OSError as error:  # a temporary folder without sparse files, or with a limit on sizes
        return answers, [f"The types could not be compared with llama.cpp's: {error.strerror}."]
    except EngineFailed as error:
        return answers, [f"The types could not be compared with llama.cpp's: {error.message}"]
    return answers, []


def _write_hollow(path: Path, metadata: Metadata, types: Types, shapes: Mapping[str, Shape]) -> None:
    infos, offset = [], 0
    for name, kind in types.items():
        infos.append(TensorInfo(name, shapes[name], kind, offset))
        offset += padded(size_of(kind, shapes[name]))
    header = encode_header(metadata, infos)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + offset)


def _agree(
    file_type: FileType, ours: Types, theirs: Mapping[str, str], kept: Mapping[str, GgmlType]
) -> tuple[Types, list[str]]:
    by_name = {kind.name.lower(): kind for kind in GgmlType}
    agreed, warnings = dict(ours), []
    if theirs.keys() != ours.keys():
        warnings.append(
            f"{file_type.name}: llama.cpp named {len(theirs)} of {len(ours)} tensors; the rest is unchecked."
        )
    for name in [name for name in theirs if name in ours and name not in kept]:
        kind = by_name.get(theirs[name].lower())
        if kind is None:
            raise UnsupportedModel(
                f"llama.cpp makes {name} {theirs[name]} for {file_type.name}, which the converter cannot write."
            )
        if kind is not ours[name]:
            agreed[name] = kind
            warnings.append(
                f"{file_type.name}: llama.cpp makes {name} {kind.name}, not {ours[name].name}; so it is done."
            )
    return agreed, warnings
