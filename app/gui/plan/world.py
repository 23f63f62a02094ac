"""What a plan panel's control needs of the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.actions.context import Pronk
from app.gui.engine_control import EngineControl
from app.gui.library_control import LibraryControl
from app.gui.ports import Ports
from app.gui.tasks import Tasks

if TYPE_CHECKING:
    from app.plan.values import LoadPlan


@dataclass(frozen=True)
class PlanWorld:
    """Handed to every control."""

    pronk: Pronk
    tasks: Tasks
    ports: Ports
    library: LibraryControl
    engine: EngineControl

    def loaded_plan(self) -> LoadPlan | None:
        """Return the plan the engine loads or runs with, None without one (or with one this window cannot read)."""
        from app.core.errors import BadRequest
        from app.plan.json import plan_from_document  # heavy: the window opens without it

        document = self.engine.state.plan
        if document is None or self.engine.state.kind not in ("loading", "ready", "restarting"):
            return None
        try:
            return plan_from_document(document)
        except BadRequest:
            return None
