"""Loads a model file as the engine does and computes a few tokens: `python -m tests.support.decode_once FILE`.

Exit status 0 when it answered, 3 when it was refused in words (printed); anything else is a crash.
"""

import sys
from pathlib import Path

from app.core.errors import AppError
from app.library.preflight_child import limit_process
from app.llama.session import Session, SessionOptions, load_session
from app.llama.session_batch import Batch

OPTIONS = SessionOptions(
    n_gpu_layers=0, context=256, kv_type="f16", n_ubatch=32, n_outputs_max=1, n_threads=1, parallel=1
)


def main(path: Path) -> int:
    """Load and compute."""
    try:
        session = load_session(path, OPTIONS, lambda _: True)
    except AppError as error:
        print(error.message)
        return 3
    _decode(session, session.vocabulary.tokenize("Hi, what is this?", add_special=True)[:16])
    return 0


def _decode(session: Session, tokens: list[int]) -> None:
    batch = Batch(session.llama, len(tokens), 1)
    batch.add_chunk(0, 0, tokens, True)
    print(f"{len(tokens)} tokens, llama_decode said {session.decode(batch)}")
    batch.close()
    session.close()


if __name__ == "__main__":
    limit_process()
    sys.exit(main(Path(sys.argv[1])))
