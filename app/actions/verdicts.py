"""What each model of the library would do on this computer, in plain words, for the picker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.actions.context import Pronk
from app.actions.load_choice import AUTOMATIC, LoadChoice, read_choice
from app.core.errors import AppError

if TYPE_CHECKING:
    from app.actions.models import LibraryModel
    from app.devices.values import Devices
    from app.plan.values import LoadPlan, Verdict


@dataclass(frozen=True)
class JudgedModel:
    """A model and its verdict; `problem` says why there is no plan (a missing or damaged file).

    choice: the wishes kept for the model, which the verdict is for.
    """

    model: LibraryModel
    plan: LoadPlan | None = None
    sentence: str = ""
    problem: str = ""
    choice: LoadChoice = AUTOMATIC

    @property
    def title(self) -> str:
        """The name and type for people, the type said once: "SmolLM2-135M-Instruct · Q4_1"."""
        name, kind = self.model.name, self.model.type
        if kind and name.upper().endswith(kind.upper()):
            name = name[: -len(kind)].rstrip("-._ ") or name
        return f"{name} · {kind}" if kind else name

    @property
    def path(self) -> str:
        """The model's file, as text: its identity in the window."""
        return str(self.model.path)

    @property
    def verdict(self) -> Verdict | None:
        """The plan's verdict, None without a plan."""
        return self.plan.verdict if self.plan is not None else None


def judge_model(pronk: Pronk, model: LibraryModel, devices: Devices) -> JudgedModel:
    """Return a model's verdict by the analytic plan (milliseconds); what is wrong with the file becomes `problem`.

    Wishes that the user keeps for the model and what was measured here count. Two judgements that say the same are
    equal.
    """
    from app.actions.learned import what_was_learned  # heavy: the window opens without them
    from app.actions.models import inspect_model
    from app.actions.plan import quick_plan
    from app.plan.words import verdict_sentence

    if model.missing or model.fault:
        return JudgedModel(model, problem=model.fault or f"The file is gone: {model.path}")
    try:
        facts = inspect_model(pronk, str(model.path))
        choice = read_choice(pronk, model.path)
        learned = what_was_learned(pronk, facts, devices)
        plan = quick_plan(facts, devices, choice.request, learned, alternatives=False)
    except AppError as error:
        return JudgedModel(model, problem=error.message)
    return JudgedModel(model, replace(plan, elapsed_ms=0.0), verdict_sentence(plan), choice=choice)
