"""Asks the dry run until the choice is proven: its own bytes are known, and nothing better can fit.

First the choice by the formulas is asked for, and each answer moves the choice, until it falls on a candidate whose
bytes are known. Then whatever would be better, and would fit if its compute buffers were the least that is thought
possible, is asked for as well.
"""

from dataclasses import dataclass, replace

from app.core.errors import AppError, BadFile, UnsupportedModel
from app.plan.search import RANKS, Choice, Search
from app.plan.values import Candidate, DryRun


@dataclass
class Asking:
    """The dry run with what is left of its budget, and why it gave no answer."""

    dry_run: DryRun
    left: int
    failure: str = ""

    def learn(self, search: Search, candidate: Candidate) -> Search | None:
        """Return the search with the candidate's bytes; None when there is no answer or no budget.

        Raises what says that the model itself cannot be loaded.
        """
        if self.left <= 0 or self.failure:
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


def refined(search: Search, asking: Asking | None) -> tuple[Search, Choice]:
    """Return the best choice by dry runs, as far as their budget goes, and the search with what they taught."""
    choice = search.best()
    while asking is not None:
        candidate = _unknown(search, choice)
        if candidate is None:
            return search, choice
        taught = asking.learn(search, candidate)
        if taught is None:
            break
        search = taught
        choice = search.best()
    return search, _settled(search, choice)


def _unknown(search: Search, choice: Choice) -> Candidate | None:
    """Return the next candidate to ask for; None when the choice is proven."""
    if choice.candidate not in search.knowledge.measured:
        return choice.candidate
    hope = replace(search, knowledge=search.knowledge.hopeful()).best()
    if hope.candidate in search.knowledge.measured or not _is_better(hope, choice):
        return None
    return hope.candidate


def _is_better(hope: Choice, choice: Choice) -> bool:
    mine = (RANKS[choice.verdict], choice.candidate.context, -choice.cost_s)
    return (RANKS[hope.verdict], hope.candidate.context, -hope.cost_s) > mine


def _settled(search: Search, choice: Choice) -> Choice:
    """Return the choice, or when the last one was never asked for, the best whose bytes are known and fit."""
    if choice.candidate in search.knowledge.measured:
        return choice
    known = [search.judge(candidate) for candidate in search.knowledge.measured if search.knowledge.fits(candidate)]
    return max(known, key=lambda c: (RANKS[c.verdict], c.candidate.context, -c.cost_s), default=choice)
