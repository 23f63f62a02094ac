"""The user's choices, kept as one small JSON file."""

import contextlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from app.core.files import write_atomic
from app.core.json_text import parse_json


@dataclass(frozen=True)
class Settings:
    """Every choice with its default."""

    last_model: str = ""
    max_tokens: int = 1024
    temperature: float = 0.7
    system_prompt: str = ""
    theme: str = "system"
    language: str = ""


def load_settings(path: Path) -> Settings:
    """Read the settings; what is missing, unknown or of a wrong type keeps its default.

    A file that is no JSON object is kept aside as settings.damaged.json before anything overwrites it.
    """
    try:
        stored = parse_json(path.read_text(encoding="utf-8"))
    except OSError:
        return Settings()
    except ValueError:
        stored = None
    if isinstance(stored, dict):
        return _merge(stored)
    with contextlib.suppress(OSError):
        path.replace(path.with_name("settings.damaged.json"))
    return Settings()


def _merge(stored: dict[str, Any]) -> Settings:
    defaults = Settings()
    known = {
        field.name: stored[field.name]
        for field in fields(Settings)
        if field.name in stored and type(stored[field.name]) is type(getattr(defaults, field.name))
    }
    return replace(defaults, **known)


def save_settings(path: Path, settings: Settings) -> None:
    """Write the settings in one step."""
    write_atomic(path, json.dumps(asdict(settings), ensure_ascii=False, indent=2).encode())
