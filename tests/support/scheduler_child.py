"""Runs requests through the real scheduler: `python -m tests.support.scheduler_child MODEL PARALLEL CONTEXT`.

Stdin holds a JSON list of steps; a step is a list of prompts [text, max_tokens] that are asked together, or the word
"abort", which aborts the first decode of the next step. Prints the end events by step, in the order of the prompts.
"""

import json
import sys
from pathlib import Path
from typing import Any

from app.engine.scheduler import Request, Scheduler
from app.llama.session import SessionOptions, load_session
from app.llama.session_sampler import Sampling


def main(model: Path, parallel: int, context: int) -> None:
    """Run the steps."""
    options = SessionOptions(0, context, "f16", 128, parallel, 1, parallel)
    session = load_session(model, options, lambda _: True)
    events: list[dict[str, Any]] = []
    scheduler = Scheduler(session, events.append)
    report = []
    number = 0
    for step in json.load(sys.stdin):
        if step == "abort":
            session.abort()
            continue
        first = number
        for text, max_tokens in step:
            scheduler.submit(Request(number, text, Sampling(temperature=0), max_tokens=max_tokens))
            number += 1
        while scheduler.busy:
            scheduler.step()
        report.append([summary(events, request_id) for request_id in range(first, number)])
    scheduler.close()
    session.close()
    print(json.dumps(report))


def summary(events: list[dict[str, Any]], request_id: int) -> dict[str, Any]:
    """Return the text, the last event and what was cached of one request."""
    mine = [event for event in events if event["id"] == request_id]
    text = "".join(event["text"] for event in mine if event["event"] == "text")
    cached = next((event["cached_tokens"] for event in mine if event["event"] == "start"), 0)
    return {**mine[-1], "text": text, "cached_tokens": cached}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
