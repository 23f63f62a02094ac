"""What each model of the library would do on this computer, in plain words, for the picker."""

from dataclasses import dataclass

from app.actions.context import Pronk
from app.actions.models import LibraryModel, inspect_model
from app.actions.plan import quick_plan
from app.core.errors import AppError
from app.devices.values import Devices
from app.plan.values import LoadPlan, Verdict
from app.plan.words import verdict_sentence


@dataclass(frozen=True)
class JudgedModel:
    """A model and its verdict; `problem` says why there is no plan (a missing or damaged file)."""

    model: LibraryModel
    plan: LoadPlan | None = None
    sentence: str = ""
    problem: str = ""

    @property
    def path(self) -> str:
        """The model's file, as text: its identity in the window."""
        return str(self.model.path)

    @property
    def verdict(self) -> Verdict | None:
        """The plan's verdict, None without a plan."""
        return self.plan.verdict if self.plan is not None else None


def judge_model(pronk: Pronk, model: LibraryModel, devices: Devices) -> JudgedModel:
    """Return a model's verdict by the analytic plan (milliseconds); what is wrong with the file becomes `problem`."""
    if model.missing or model.fault:
        return JudgedModel(model, problem=model.fault or f"The file is gone: {model.path}")
    try:
        plan = quick_plan(inspect_model(pronk, str(model.path)), devices)
    except AppError as error:
        return JudgedModel(model, problem=error.message)
    return JudgedModel(model, plan, verdict_sentence(plan))
