"""A stand-in for the preflight's child that starts well and then never answers."""

import threading

from app.jobs.child import claim_stdout, exit_now, watch_stdin

if __name__ == "__main__":
    claim_stdout().emit({"event": "started"})
    watch_stdin(exit_now)
    threading.Event().wait()
