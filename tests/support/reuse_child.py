"""Measures in a child what reusing a prefix does to the logits.

`python -m tests.support.reuse_child MODEL N_FACTS`

A long conversation is answered; then it is regenerated and its middle is edited, through the real scheduler. The
logits that choose the first token are compared with those of a fresh run: the same scheduler with nothing to reuse.
Then the edit is done by a program that keeps what is in common: with the proof, and last blindly. Prints one JSON
document.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import app.engine.scheduler as scheduler_module
import app.engine.sequences as sequences_module
from app.engine.scheduler import Request, Scheduler
from app.llama.session import Session, SessionOptions, load_session
from app.llama.session_sampler import Sampler, Sampling

OPTIONS = SessionOptions(
    n_gpu_layers=0, context=4096, kv_type="f16", n_ubatch=256, n_outputs_max=1, n_threads=1, parallel=1
)


class RecordingSampler(Sampler):
    """Keeps a copy of the logits of each first token."""

    first_logits: list[np.ndarray[Any, Any]] = []  # noqa: RUF012 - one child, one list
    session: Session

    def sample(self, context: Any, output: int) -> int:
        """Record, then choose."""
        if not getattr(self, "begun", False):
            self.begun = True
            self.first_logits.append(np.array(self.session.logits(output)))
        return super().sample(context, output)


def main(model: Path, n_facts: int) -> None:
    """Run all cases and print the figures."""
    session = load_session(model, OPTIONS, lambda _: True)
    RecordingSampler.session = session
    scheduler_module.Sampler = RecordingSampler  # type: ignore[misc]
    facts = [f"Fact {i}: the number {i * 37 % 101} belongs to box {i}." for i in range(n_facts)]
    base = " ".join(facts) + " What is in box 3?"
    edited = " ".join(facts[: n_facts // 2]) + " That is all. What is in box 3?"
    scheduler = Scheduler(session, events.append)
    ask(scheduler, base, 20)
    regenerated = ask(scheduler, base, 1)
    changed = ask(scheduler, edited, 1)
    ask(scheduler, base, 20)
    scheduler_module.reusable = lambda n_common, _, n_prompt: min(n_common, n_prompt - 1)
    proven = ask(scheduler, edited, 1)
    ask(scheduler, base, 20)
    sequences_module._proven = lambda *_: True  # type: ignore[assignment]
    blind = ask(scheduler, edited, 1)
    n_prompt = len(session.vocabulary.prompt_tokens(base))
    report: dict[str, Any] = {"prompt_tokens": n_prompt, "n_swa": session.n_swa}
    for name, prompt, (logits, cached) in (
        ("regenerate", base, regenerated),
        ("edit", edited, changed),
        ("proven_edit", edited, proven),
        ("blind_edit", edited, blind),
    ):
        report[name] = {"cached_tokens": cached, **difference(logits, fresh(scheduler, session, prompt))}
    print(json.dumps(report))


events: list[dict[str, Any]] = []


def ask(scheduler: Scheduler, prompt: str, n_tokens: int) -> tuple[Any, int]:
    """Return the logits of the first token and how many tokens of the prompt were reused."""
    events.clear()
    scheduler.submit(Request(1, prompt, Sampling(temperature=0), max_tokens=n_tokens))
    while scheduler.busy:
        scheduler.step()
    return RecordingSampler.first_logits[-1], int(events[0]["cached_tokens"])


def fresh(scheduler: Scheduler, session: Session, prompt: str) -> Any:
    """Return the logits of the first token when nothing can be reused."""
    for sequence in scheduler._idle:
        sequences_module.forget(session, sequence)
    logits, cached = ask(scheduler, prompt, 1)
    assert cached == 0
    return logits


def difference(left: Any, right: Any) -> dict[str, float]:
    """Return the largest difference of two rows of logits and the KL divergence of their distributions."""
    p, q = softmax(right), softmax(left)
    return {
        "max_difference": float(np.abs(left - right).max()),
        "kl": float((p * (np.log(p + 1e-30) - np.log(q + 1e-30))).sum()),
        "same_top": bool(left.argmax() == right.argmax()),
    }


def softmax(row: Any) -> Any:
    """Return probabilities."""
    powers = np.exp(row.astype(np.float64) - row.max())
    return powers / powers.sum()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
