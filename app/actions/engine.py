"""Starting an engine for a model: a child `pronk serve` that ends with this process."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.actions.context import Pronk
from app.engine.supervisor import Engine
from app.jobs.commands import pronk_command

OnEvent = Callable[[Mapping[str, Any]], None]


def start_engine(
    pronk: Pronk, model: Path | str, plan_options: Sequence[str] = (), on_event: OnEvent = lambda _: None
) -> Engine:
    """Start the engine for a model (path or name); returns once its door is open, the model may still be loading.

    `plan_options` are the command line's ("--context", "8192"). `on_event` hears all of the child's events (ready,
    progress, loaded, engine_died, restarted, failed) on another thread. Raises the error that the child ended with.
    """
    command = pronk_command(
        "serve",
        str(model),
        "--parallel",
        "1",
        *plan_options,
        "--events",
        "--watch-stdin",
        "--home",
        str(pronk.home.root),
    )
    engine = Engine(command, pronk.log("serve"), on_event)
    engine.wait_ready()
    return engine
