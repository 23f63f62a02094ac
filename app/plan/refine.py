"""Asks the dry run until the choice is proven: its own bytes are known, and nothing better can fit.

First the choice by the formulas is asked for, and each answer moves the choice, until it falls on a candidate whose
bytes are known. Then whatever would be better, and would fit if its compute buffers were the least that is thought
possible, is asked for as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.core.errors import AppError, BadFile, UnsupportedModel
from app.plan.search import RANKS, Choice, Search
from app.plan.values import Candidate, DryRun


@dataclass
class Asking:
    """The dry run with what is left of its budget, and why it gave no answer."""

    dry_run: DryRun | None
    left: int
    failure: str = ""

    def learn(self, search: Search, candidate: Candidate) -> Search | None:
        """Return the search with the candidate's bytes; None when there is no answer or no budget.

        Raises what says that the model itself cannot be loaded.
        """
        if self.dry_run is None or self.left <= 0 or self.failure:
            return None
        self.left -= 1
        gpus = tuple(gpu.id for gpu in search.knowledge.budgets.gpus)
        try:
            answer = self.dry_run(search.model.facts, candidate, gpus)
        except (UnsupportedModel, BadFile):
            raise
        except AppError as error:
            self.failure = error.message
            return None
        return replace(search, knowledge=search.knowledge.learned(candidate, answer))


def refined(search: Search, asking: Asking, find: Callable[[Search], Choice] = Search.best) -> tuple[Search, Choice]:
    """Return the choice that `find` makes when nothing is left to ask, and the search with what dry runs taught."""
    choice = find(search)
    while (candidate := _unknown(search, choice, find)) is not None:
        taught = asking.learn(search, candidate)
        if taught is None:
            break
        search = taught
        choice = find(search)
    return search, choice


def _unknown(search: Search, choice: Choice, find: Callable[[Search], Choice]) -> Candidate | None:
    """Return the next candidate to ask for; None when the choice is proven."""
    if choice.candidate not in search.knowledge.measured:
        return choice.candidate
    hope = find(replace(search, knowledge=search.knowledge.hopeful()))
    if hope.candidate in search.knowledge.measured or not _is_better(hope, choice):
        return None
    return hope.candidate


def _is_better(hope: Choice, choice: Choice) -> bool:
    if hope.verdict == "too_big":
        return False  # not even by the least bytes that are thought possible does anything fit
    mine = (RANKS[choice.verdict], choice.candidate.context, -choice.cost_s)
    return (RANKS[hope.verdict], hope.candidate.context, -hope.cost_s) > mine


def settled(search: Search, choice: Choice) -> Choice:
    """Return the choice, or when it was not asked for any more, the best whose bytes are known and fit."""
    if choice.candidate in search.knowledge.measured:
        return choice
    known = [search.judge(candidate) for candidate in search.knowledge.measured if search.knowledge.fits(candidate)]
    return max(known, key=lambda c: (RANKS[c.verdict], c.candidate.context, -c.cost_s), default=choice)


def hoped(search: Search, choice: Choice) -> Choice:
    """Return the choice, no longer as too big where only the bound of a compute buffer says so.

    Formulas refuse a model only when it is certain not to fit.
    """
    if choice.verdict != "too_big" or choice.candidate in search.knowledge.measured:
        return choice
    return search.judge(choice.candidate) if search.knowledge.hopeful().fits(choice.candidate) else choice
