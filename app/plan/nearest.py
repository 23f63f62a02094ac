"""What comes nearest to a fit where nothing fits: GPUs filled as far as they go, the rest left to main memory."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.plan.budget import Budgets
from app.plan.fit import Knowledge
from app.plan.placing import Placer
from app.plan.values import Candidate

WITHOUT_END = 1 << 62


def filled(knowledge: Knowledge, bases: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield each base with as much on the GPUs as they hold, whatever main memory then lacks."""
    if not knowledge.budgets.gpus:
        return
    placer = Placer(_without_host_limit(knowledge))
    for base in bases:
        if knowledge.model.is_moe:
            yield from placer.experts_moved(base)
        yield from placer.most_layers(base)


def _without_host_limit(knowledge: Knowledge) -> Knowledge:
    host = replace(knowledge.budgets.host, free_bytes=WITHOUT_END, reserve_bytes=0)
    return replace(knowledge, budgets=Budgets(host, knowledge.budgets.gpus), memo=dict(knowledge.measured))
