"""Seeded damage to whole files: bytes of the header changed, or the end cut off."""

import random
from collections.abc import Iterator

BORDERS = (0, 1, 127, 128, 255)


def byte_mutants(data: bytes, header_bytes: int, count: int, seed: int) -> Iterator[bytes]:
    """Yield copies with one, two or eight bytes of the header changed."""
    dice = random.Random(seed)
    for _ in range(count):
        mutant = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 8))):
            mutant[dice.randrange(header_bytes)] = dice.choice((*BORDERS, dice.randrange(256)))
        yield bytes(mutant)


def truncations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield beginnings, half of them cut inside the first tenth."""
    dice = random.Random(seed)
    for index in range(count):
        yield data[: dice.randrange(len(data) // (10 if index % 2 else 1))]
