"""Long counts: a seeded tenth in `make test`, the whole in `make soak`."""

import os


def counted(whole: int) -> int:
    """Return how often to repeat: `whole` when PRONK_SOAK=1, else a tenth, at least once."""
    return whole if os.environ.get("PRONK_SOAK") == "1" else max(1, whole // 10)
