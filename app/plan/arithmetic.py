"""A device's bytes as a subtraction whose shown numbers add up: "6.0 GB − 0.4 reserve − 3.9 weights = 1.7 left"."""

from collections.abc import Sequence

from app.plan.values import DevicePlan

GB, MB = 10**9, 10**6
SMALLEST_IN_GB = 2 * GB


def subtraction(device: DevicePlan, others_bytes: int = 0) -> str:
    """Return what a device has, what is taken from it and what is left, in one unit.

    others_bytes: what other programs are known to hold; it names what is in use already.
    """
    in_use = max(0, device.total_bytes - device.free_bytes)
    named = "other programs" if others_bytes and others_bytes >= in_use // 2 else "in use"
    parts = [
        (named, in_use),
        ("reserve", device.reserve_bytes),
        ("weights", device.weights_bytes),
        ("KV", device.kv_bytes),
        ("compute", device.compute_bytes),
    ]
    left = device.total_bytes - sum(size for _, size in parts)
    unit, per_unit, decimals = (" GB", GB // 10, 1) if device.total_bytes >= SMALLEST_IN_GB else (" MB", MB, 0)
    total, *shown = rounded([device.total_bytes, *(-size for _, size in parts), -left], per_unit)

    def number(tenths: int) -> str:
        return f"{tenths / 10:.1f}" if decimals else str(tenths)

    taken = [f" − {number(-value)} {name}" for (name, size), value in zip(parts, shown, strict=False) if size and value]
    rest = -shown[-1]
    ending = f" = {number(rest)} left" if left >= 0 else f": {number(abs(rest))} too little"
    return f"{number(total)}{unit}{''.join(taken)}{ending}"


def rounded(sizes: Sequence[int], per_unit: int) -> list[int]:
    """Return sizes that add up to nothing in whole units that do so too; each is off by less than one unit."""
    whole = [size // per_unit for size in sizes]
    missing = -sum(whole)
    by_rest = sorted(range(len(sizes)), key=lambda i: sizes[i] % per_unit, reverse=True)
    for index in by_rest[:missing]:
        whole[index] += 1
    return whole
