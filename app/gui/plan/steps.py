"""The values that the sliders stop at."""

import bisect
from collections.abc import Sequence

FIRST_CONTEXT = 4096
SMALL_CONTEXT = 512
CONTEXT_UNIT = 256
"""llama.cpp rounds a context up to a multiple of this."""

UNKNOWN_CONTEXT = 32768
GB = 10**9
RESERVE_STEP_BYTES = GB // 10
MOST_RESERVE_BYTES = 16 * GB


def context_steps(trained: int) -> tuple[int, ...]:
    """Return powers of two and what lies halfway between them, from 4,096 to the trained length (0: unknown)."""
    trained = trained or UNKNOWN_CONTEXT
    first = FIRST_CONTEXT if trained > FIRST_CONTEXT else SMALL_CONTEXT
    steps = []
    size = min(first, trained)
    while size < trained:
        steps += [size, size * 3 // 2]
        size *= 2
    return (*(step for step in steps if step < trained), trained)


def reserve_steps(total_bytes: int) -> tuple[int, ...]:
    """Return tenths of a gigabyte up to half of a device, at most 16 GB."""
    most = min(MOST_RESERVE_BYTES, total_bytes // 2)
    return tuple(range(0, max(most, RESERVE_STEP_BYTES) + 1, RESERVE_STEP_BYTES))


def nearest(steps: Sequence[int], value: int) -> int:
    """Return the position of the step that is nearest to `value`."""
    at = bisect.bisect_left(steps, value)
    if at == 0:
        return 0
    if at == len(steps):
        return at - 1
    return at if steps[at] - value < value - steps[at - 1] else at - 1


def whole_context(tokens: int) -> int:
    """Return the context that llama.cpp makes of `tokens`."""
    return max(1, -(-tokens // CONTEXT_UNIT)) * CONTEXT_UNIT
