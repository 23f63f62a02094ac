"""Damaged and odd model files, each a recipe: what is spoiled, and the bytes.

The recipes spoil small whole models, so that nothing else is wrong with a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.malformed_base import Parts


@dataclass(frozen=True)
class Recipe:
    """One way to spoil a file.

    hole_bytes: how long a run of zeros follows, which takes no room on the disk. aborts: llama.cpp ends its process
    over it, so it must never see the file. whole: llama.cpp takes it, so it must not be refused.
    """

    name: str
    make: Callable[[], bytes]
    hole_bytes: int = 0
    aborts: bool = False
    whole: bool = False

    def write(self, folder: Path) -> Path:
        """Write the file and return its path."""
        path = folder / f"{''.join(c if c.isalnum() else '-' for c in self.name)}.gguf"
        data = self.make()
        with path.open("wb") as file:
            file.write(data)
            file.truncate(len(data) + self.hole_bytes)
        return path


def of(name: str, parts: Parts, *, aborts: bool = False, whole: bool = False) -> Recipe:
    """Return the recipe of a model whose parts were changed."""
    return Recipe(name, parts.build, aborts=aborts, whole=whole)


def all_recipes() -> list[Recipe]:
    """Return every recipe, in a fixed order."""
    from tests.support.malformed_file import file_recipes
    from tests.support.malformed_numbers import number_recipes
    from tests.support.malformed_tensors import tensor_recipes
    from tests.support.malformed_tokenizer import tokenizer_recipes

    return [*file_recipes(), *number_recipes(), *tokenizer_recipes(), *tensor_recipes()]
