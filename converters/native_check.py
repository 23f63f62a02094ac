"""Asks llama.cpp which types it would choose for this very model, and takes its word where it differs.

A file with nothing but a header is enough: it is stretched to its full size without taking room on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from converters.errors import UnsupportedModel
from converters.helper import Helper
from converters.mapping import SourceTensor
from converters.plan import plan_file
from converters.quant_types import FILE_TYPES, UNQUANTIZED, FileType, GgmlType, ModelSizes, choose
from converters.values import Metadata

Types = dict[str, GgmlType]


def choose_types(
    file_types: Sequence[FileType],
    model: ModelSizes,
    metadata: Metadata,
    sources: Sequence[SourceTensor],
    wide: GgmlType,
    helper: Helper,
) -> tuple[list[Types], list[str]]:
    """Give each file's types, checked, and a warning for each disagreement.

    metadata: general.* and the architecture's values; the tokenizer is not needed."""
    shapes = {source.name: source.shape for source in sources}
    ours = [choose(file_type, model, shapes, wide) for file_type in file_types]
    asked = [file_type.name for file_type in file_types if file_type.name not in UNQUANTIZED]
    if not asked:
        return ours, []
    try:
        theirs = _ask(asked, metadata, choose(FILE_TYPES[wide.name], model, shapes, wide), sources, helper)
    except OSError as error:  # a temporary folder without sparse files, or with a limit on sizes
        return ours, [f"The types could not be compared with llama.cpp's: {error.strerror}."]
    agreed = [
        _agree(file_type, mine, theirs.get(file_type.name, {}))
        for file_type, mine in zip(file_types, ours, strict=True)
    ]
    return [types for types, _ in agreed], [warning for _, warnings in agreed for warning in warnings]


def _ask(
    asked: Sequence[str], metadata: Metadata, types: Types, sources: Sequence[SourceTensor], helper: Helper
) -> dict[str, dict[str, str]]:
    with TemporaryDirectory(prefix="pronk-") as folder:
        path = Path(folder) / "header.gguf"
        plan = plan_file(path, FILE_TYPES["BF16"], metadata, types, sources)
        with path.open("wb") as file:
            file.write(plan.header)
            file.truncate(plan.size_bytes)
        answer = helper.ask(do="types", model=str(path), file_types=list(asked))["types"]
    return dict(zip(asked, answer, strict=True))


def _agree(file_type: FileType, ours: Types, theirs: Mapping[str, str]) -> tuple[Types, list[str]]:
    by_name = {kind.name.lower(): kind for kind in GgmlType}
    agreed, warnings = dict(ours), []
    if theirs.keys() != ours.keys() and file_type.name not in UNQUANTIZED:
        warnings.append(
            f"{file_type.name}: llama.cpp named only {len(theirs)} of {len(ours)} tensors; the rest is unchecked."
        )
    for name, word in theirs.items():
        kind = by_name.get(word.lower())
        if kind is None:
            raise UnsupportedModel(
                f"llama.cpp makes {name} {word} for {file_type.name}, which the converter cannot write."
            )
        if name in ours and kind is not ours[name]:
            agreed[name] = kind
            warnings.append(
                f"{file_type.name}: llama.cpp makes {name} {kind.name}, not {ours[name].name}; so it is done."
            )
    return agreed, warnings
