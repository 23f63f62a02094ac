"""The yardstick of benches: a bare llama_decode loop. `python -m tests.support.bare_decode MODEL --json`.

Same file, threads, context, prompt and greedy choice as `pronk serve` uses; no HTTP, no scheduler, no text.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from app.llama.session import Session, SessionOptions, load_session
from app.llama.session_sampler import Sampler, Sampling


def main() -> None:
    """Load, measure, print the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--prompt", default="<|im_start|>user\nTell a long story.<|im_end|>\n<|im_start|>assistant\n")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    options = SessionOptions(0, 8192, "f16", 512, arguments.parallel, arguments.threads, arguments.parallel)
    session = load_session(arguments.model, options, lambda _: True)
    measure(session, "Warm up.", 8)
    runs = [measure(session, arguments.prompt, arguments.tokens) for _ in range(arguments.runs)]
    figures = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    print(json.dumps(figures) if arguments.json else figures)


def measure(session: Session, prompt: str, n_tokens: int) -> dict[str, float]:
    """Return first_token_s and decode_tokens_per_s of one answer of `n_tokens` from an empty context."""
    llama, context = session.llama, session.context
    session.remove(0)
    tokens = session.vocabulary.prompt_tokens(prompt)
    sampler = Sampler(llama, Sampling(temperature=0), session.vocabulary.size, tokens)
    batch = session.batch()
    started_s = time.perf_counter()
    place = batch.add_chunk(0, 0, tokens, wants_logits=True)
    require(session.decode(batch))
    token = sampler.sample(context, place)
    first_s = time.perf_counter()
    for position in range(len(tokens), len(tokens) + n_tokens - 1):
        batch.clear()
        place = batch.add(0, position, token)
        require(session.decode(batch))
        token = sampler.sample(context, place)
    elapsed_s = time.perf_counter() - first_s
    sampler.close()
    batch.close()
    return {"first_token_s": first_s - started_s, "decode_tokens_per_s": (n_tokens - 1) / elapsed_s}


def require(result: Any) -> None:
    """Stop when a decode failed."""
    assert result == 0, f"llama_decode returned {result}"


if __name__ == "__main__":
    main()
