"""What a scan cannot find out about models: files outside the models folder, sources, and what was taken off the list.

One small JSON file; together with the models themselves it is the truth, and the index is a cache of both.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from app.core.errors import BadFile
from app.core.files import write_atomic


@dataclass(frozen=True)
class Place:
    """What is known of one model file besides its content; `hidden` keeps a file of the models folder off the list."""

    source: str = ""
    revision: str = ""
    hidden: bool = False


def load_places(file: Path) -> dict[Path, Place]:
    """Read the known places by path; a file that is no JSON is put aside as NAME.damaged."""
    if not file.exists():
        return {}
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        stored = None
    except OSError as error:
        raise BadFile(f"Cannot read {file} ({error.strerror or error}).", hint="Check its permissions.") from error
    if not isinstance(stored, dict):
        file.replace(file.with_name(f"{file.name}.damaged"))
        return {}
    return {Path(path): _place(values) for path, values in stored.items() if isinstance(values, dict)}


def save_places(file: Path, places: Mapping[Path, Place]) -> None:
    """Write the known places in one step."""
    document = {str(path): asdict(place) for path, place in sorted(places.items())}
    write_atomic(file, json.dumps(document, ensure_ascii=False, indent=1).encode())


def _place(values: Mapping[str, object]) -> Place:
    defaults = Place()
    known = {
        field.name: values[field.name]
        for field in fields(Place)
        if type(values.get(field.name)) is type(getattr(defaults, field.name))
    }
    return Place(**known)  # type: ignore[arg-type]  # the types were just checked
