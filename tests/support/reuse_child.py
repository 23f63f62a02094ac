"""Measures in a child what reusing a prefix does to the logits: `python -m tests.support.reuse_child MODEL N_FACTS`.

A long conversation is answered; then it is regenerated and its middle is edited, through the real scheduler. The
logits that choose the first token are compared with those of an empty context that reads the prompt in the same two
parts ("same_parts": nothing but reuse differs), and in one go ("one_go": what llama.cpp's batch shapes alone do).
Last, the edit is done blindly, as a program without the proof would do it. Prints one JSON document.
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
    sequences_module._proven = lambda *_: True  # type: ignore[assignment]
    blind = ask(scheduler, edited, 1)
    tokens = session.vocabulary.prompt_tokens
    report: dict[str, Any] = {"prompt_tokens": len(tokens(base)), "n_swa": session.n_swa}
    for name, prompt, (logits, cached) in (
        ("regenerate", base, regenerated),
        ("edit", edited, changed),
        ("blind_edit", edited, blind),
    ):
        parts = fresh(session, tokens(prompt), cached)
        report[name] = {"cached_tokens": cached, "same_parts": difference(logits, parts)}
        if name == "edit":
            report[name]["one_go"] = difference(logits, fresh(session, tokens(prompt), 0))
    print(json.dumps(report))


events: list[dict[str, Any]] = []


def ask(scheduler: Scheduler, prompt: str, n_tokens: int) -> tuple[Any, int]:
    """Return the logits of the first token and how many tokens of the prompt were reused."""
    events.clear()
    scheduler.submit(Request(1, prompt, Sampling(temperature=0), max_tokens=n_tokens))
    while scheduler.busy:
        scheduler.step()
    return RecordingSampler.first_logits[-1], int(events[0]["cached_tokens"])


def fresh(session: Session, tokens: list[int], n_first: int) -> Any:
    """Return the logits after `tokens`, read into an empty context as the first `n_first` and then the rest."""
    session.remove(0)
    batch = session.batch()
    place = -1
    for start, end in ((0, n_first), (n_first, len(tokens))):
        for at in range(start, end, session.n_batch):
            chunk = tokens[at : min(at + session.n_batch, end)]
            batch.clear()
            place = batch.add_chunk(0, at, chunk, wants_logits=at + len(chunk) == len(tokens))
            assert session.decode(batch) == 0
    logits = np.array(session.logits(place))
    batch.close()
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
