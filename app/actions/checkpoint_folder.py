"""Which folder a SOURCE means, and what to do instead where it means none."""

import re
from itertools import islice
from pathlib import Path

from app.core.errors import BadFile, NotYet

_REMOTE = ("hf:", "ms:", "http://", "https://")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_BELOW = ("*/config.json", "snapshots/*/config.json")
"""A folder of several models, and one of the Hugging Face cache."""
_NAMED = 3


def checkpoint_folder(source: str) -> Path:
    """Return the absolute folder of a checkpoint; what it holds is the converter's to judge.

    Raises NotYet for a model on a hub, BadFile for a file, and for a folder whose subfolders are the models.
    """
    folder = Path(source).expanduser().absolute()
    if source.startswith(_REMOTE) or (_REPOSITORY.fullmatch(source) and not folder.parent.exists()):
        raise NotYet(
            f"Pronk can't fetch {source} by itself yet.",
            hint="Download its files (config.json, tokenizer files, *.safetensors) into a folder and convert that.",
        )
    if folder.is_file():
        raise BadFile(f"{folder} is a file, not a checkpoint folder.", hint=_instead_of(folder))
    if not (folder / "config.json").exists() and (models := _models_below(folder)):
        raise BadFile(
            f"{folder} has no config.json, but folders in it have one.",
            hint=f"Choose one of them: {', '.join(map(str, models))}.",
        )
    return folder


def _instead_of(file: Path) -> str:
    if file.suffix.lower() == ".gguf":
        return f"A .gguf is converted already. Use it as it is: pronk models add {file}"
    if (file.parent / "config.json").exists():
        return f"Give the folder that it is in: {file.parent}"
    return "Give the folder of a Hugging Face model: config.json, *.safetensors and tokenizer.json."


def _models_below(folder: Path) -> list[Path]:
    try:
        found = (path.parent for pattern in _BELOW for path in folder.glob(pattern))
        return sorted(islice(found, _NAMED))
    except OSError:  # what cannot be read has no models to offer
        return []
