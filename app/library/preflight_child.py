"""The throw-away child that lets llama.cpp load one file: python -m app.library.preflight_child FILE.

Says {"event":"started"} once llama.cpp is there, then done or failed. It may crash: that is what it is for.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from app.core.errors import AppError
from app.jobs.child import claim_stdout, watch_stdin

# Memory that may be written to (the engine's libraries reserve far more than they use). A header holds some 100 MB.
MEMORY_LIMIT_BYTES = 2 << 30


def limit_process() -> None:
    """Forbid core dumps and hunger for memory, and on Windows the box that tells of a crash."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x0003)  # SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere this limit is not heeded, or counts what is only reserved
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))


def main(arguments: Sequence[str]) -> int:
    """Try the file; 0 when llama.cpp takes it."""
    limit_process()
    emitter = claim_stdout()
    watch_stdin(lambda: os._exit(1))
    try:
        from app.llama.devices import start_engine_library
        from app.llama.preflight import rehearse

        llama = start_engine_library()
        emitter.emit({"event": "started"})
        rehearse(llama, Path(arguments[0]))
    except AppError as error:
        emitter.failed(error)
        return 1
    emitter.done({})
    return 0


if __name__ == "__main__":
    # Native threads may still run: leave without waiting for them.
    os._exit(main(sys.argv[1:]))
