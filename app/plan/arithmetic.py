"""A device's bytes as a subtraction whose shown numbers add up: "6.0 GB − 0.4 reserve − 3.9 weights = 1.7 left"."""

from collections.abc import Sequence

from app.plan.values import DevicePlan

GB, MB = 10**9, 10**6
SMALLEST_IN_GB = 2 * GB
LARGE_UNITS = 10  # beside so much one more or less is hardly seen


def subtraction(device: DevicePlan, others_bytes: int = 0) -> str:
    """Return what a device has, what is taken from it and what is left, in one unit.

    others_bytes: what other programs are known to hold; it names what is in use already. A reserve takes no more than
    what is free: beyond that it leaves nothing, as in Budget.usable_bytes.
    """
    in_use = max(0, device.total_bytes - device.free_bytes)
    reserve = min(device.reserve_bytes, device.total_bytes - in_use)
    named = "other programs" if others_bytes and others_bytes >= in_use // 2 else "in use"
    parts = [
        (named, in_use),
        ("reserve" if reserve == device.reserve_bytes else "of the reserve", reserve),
        ("weights", device.weights_bytes),
        ("KV", device.kv_bytes),
        ("compute", device.compute_bytes),
    ]
    left = device.total_bytes - sum(size for _, size in parts)
    sizes = [device.total_bytes, *(-size for _, size in parts), -left]
    unit, per_unit, decimals = _scale(sizes)
    total, *shown = rounded(sizes, per_unit)

    def number(units: int) -> str:
        return f"{units / 10**decimals:.{decimals}f}"

    taken = [f" − {number(-value)} {name}" for (name, size), value in zip(parts, shown, strict=False) if size and value]
    rest = -shown[-1]
    ending = f" = {number(rest)} left" if left >= 0 else f": {number(abs(rest))} too little"
    return f"{number(total)}{unit}{''.join(taken)}{ending}"


def _scale(sizes: Sequence[int]) -> tuple[str, int, int]:
    """Return unit, bytes of its last digit and decimals: one, or two where numbers with one would not add up."""
    if sizes[0] < SMALLEST_IN_GB:
        return " MB", MB, 0
    return (" GB", GB // 100, 2) if sum(_nearest(size, GB // 10) for size in sizes) else (" GB", GB // 10, 1)


def rounded(sizes: Sequence[int], per_unit: int) -> list[int]:
    """Return sizes that add up to nothing (what there is, what is taken, what is left) in whole units that do so too.

    Each is rounded like everywhere else; what is missing then goes into the largest that is taken, or when even that
    one is small, into what there is.
    """
    whole = [_nearest(size, per_unit) for size in sizes]
    taken = min(range(1, len(sizes) - 1), key=lambda i: sizes[i], default=0)
    whole[taken if -whole[taken] >= LARGE_UNITS else 0] -= sum(whole)
    return whole


def _nearest(size: int, per_unit: int) -> int:
    """Return whole units, at a half as format_size has it."""
    return round(10 * round(size / per_unit / 10, 1))
