"""How the user wants a model to be loaded, kept from one start to the next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions.context import Pronk
from app.core.files import write_atomic
from app.core.json_text import parse_json

if TYPE_CHECKING:
    from app.plan.values import PlanRequest


@dataclass(frozen=True)
class LoadChoice:
    """Wishes for one model; None leaves the choice to the planner."""

    context: int | None = None
    reserve_bytes: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The command line's options that say the same."""
        words = () if self.context is None else ("--context", str(self.context))
        return words if self.reserve_bytes is None else (*words, "--reserve", str(self.reserve_bytes))

    @property
    def request(self) -> PlanRequest:
        """The same for the planner, for one answer at a time."""
        from app.plan.values import PlanRequest  # heavy: the window opens without it

        return PlanRequest(context=self.context, reserve_bytes=self.reserve_bytes)


AUTOMATIC = LoadChoice()
LEAST_CONTEXT = 256


def read_choice(pronk: Pronk, model: Path | str) -> LoadChoice:
    """Return what was kept for this file, AUTOMATIC when nothing was."""
    stored = _stored(pronk).get(str(model))
    return LoadChoice(_number(stored, "context", LEAST_CONTEXT), _number(stored, "reserve_bytes", 0))


def keep_choice(pronk: Pronk, model: Path | str, choice: LoadChoice) -> None:
    """Keep a choice for this file; AUTOMATIC forgets it."""
    others = {path: value for path, value in _stored(pronk).items() if path != str(model)}
    fields = {name: value for name, value in vars(choice).items() if value is not None}
    document = {**others, str(model): fields} if fields else others
    write_atomic(_file(pronk), json.dumps(document, ensure_ascii=False, indent=2).encode())


def _file(pronk: Pronk) -> Path:
    return pronk.home.root / "load-choices.json"


def _stored(pronk: Pronk) -> dict[str, Any]:
    try:
        document = parse_json(_file(pronk).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing kept, or nothing that can be read: the planner chooses
        return {}
    return document if isinstance(document, dict) else {}


def _number(stored: Any, name: str, least: int) -> int | None:
    value = stored.get(name) if isinstance(stored, dict) else None
    return value if type(value) is int and value >= least else None
