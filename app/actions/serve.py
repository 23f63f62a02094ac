"""Serving a model over HTTP."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions.context import Pronk
from app.actions.models import inspect_model, resolve_model
from app.actions.plan import plan_here, read_plan, require_room
from app.actions.preflight import require_loadable
from app.actions.replan import Replanner, Wishes
from app.core.errors import BadFile, BadRequest
from app.library.facts import ModelFacts
from app.plan.json import plan_document
from app.plan.values import LoadPlan, PlanRequest

if TYPE_CHECKING:
    from app.engine.front import Stop

OnEvent = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class ServeOptions:
    """Where to listen and with which key; "" makes a new random key, port 0 takes any free port."""

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str = ""


@dataclass(frozen=True)
class LoadOptions:
    """How to load: by wishes, or by a plan that is given (`plan_source`, a file or "-")."""

    request: PlanRequest
    rpc: tuple[str, ...] = ()
    plan_source: str | None = None


def serve(pronk: Pronk, model: str, load: LoadOptions, options: ServeOptions, on_event: OnEvent, stop: "Stop") -> None:
    """Serve a model until `stop` or a signal; raises what keeps it from being served.

    The first event is `ready`; a file that is no model fails before it.
    """
    from app.engine.front import FrontOptions, run_front
    from app.engine.host import Served
    from app.engine.security import new_key

    path = resolve_model(pronk, model)
    facts = inspect_model(pronk, model)
    warning = require_loadable(pronk, path, load.request.force)
    plan = plan_for(pronk, facts, load)
    front = FrontOptions(
        api_key=options.api_key or new_key(),
        engine_log=pronk.log("engine"),
        templates_log=pronk.log("templates"),
        host=options.host,
        port=options.port,
    )
    served = Served(
        path,
        path.stem,
        plan_document(plan),
        pronk.home.cache / "skeletons",
        Replanner(pronk, facts, Wishes(load.request, load.rpc, load.plan_source is not None)),
        load.rpc,
        looks_first=not load.request.force and load.plan_source is None,
    )
    run_front(served, front, _with_warning(on_event, warning), stop)


def _with_warning(on_event: OnEvent, warning: str) -> OnEvent:
    """Tell a warning, if there is one, after the first event, `ready`."""

    def tell(event: Mapping[str, Any]) -> None:
        on_event(event)
        if warning and event["event"] == "ready":
            on_event({"event": "warning", "message": warning})

    return tell


def plan_for(pronk: Pronk, facts: ModelFacts, load: LoadOptions) -> LoadPlan:
    """Return the plan to load with; raises NotEnoughMemory when it does not fit and was not forced."""
    if load.plan_source is not None:
        return read_plan(load.plan_source)
    _, plan = plan_here(pronk, facts, load.request, rpc=load.rpc)
    pronk.close()  # the helper that planned: serving may last for days
    require_room(plan, facts, load.request.force)
    return plan


def chosen_key(given: str, file: Path | None) -> str:
    """Return the key the user chose: --api-key, --api-key-file, PRONK_API_KEY; "" when none."""
    key = given or (_read_key(file) if file is not None else os.environ.get("PRONK_API_KEY", "")).strip()
    if key and (not key.isascii() or not key.isprintable() or " " in key):
        raise BadRequest("An API key has ASCII letters, digits and signs only, no spaces.", hint="Choose another.")
    return key


def _read_key(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadFile(f"Cannot read the API key from {file} ({error}).", hint="Check --api-key-file.") from error
