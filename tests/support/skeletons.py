"""Models of many architectures without their weights, and llama.cpp's dry run of them on cards that are not here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from app.actions.context import Pronk
from app.core.paths import Home
from app.jobs.helper import Helper
from app.library.facts import ModelFacts
from app.library.facts_reader import read_facts
from app.plan.values import Breakdown, Candidate, Use, used_gpus
from converters.gguf_header import TensorInfo, encode_header, padded
from converters.quant_rules import choose
from converters.quant_types import FILE_TYPES, GgmlType, size_of, sizes_from_metadata
from converters.values import text
from tests.support.skeleton_models import SkeletonModel

MOST_CARDS = 4
# Far more than any model: the sizes of simulated cards do not change a dry run.
CARD_BYTES = 1 << 40


def write_skeleton(model: SkeletonModel, folder: Path, file_type: str = "Q4_K_M") -> ModelFacts:
    """Write a model's header in the types of a quantization, with a hole for its weights; returns its facts."""
    shapes = model.shapes()
    metadata = {"general.architecture": text(model.architecture)}
    metadata |= {f"{model.architecture}.{name}": value for name, value in model.metadata().items()}
    types = choose(FILE_TYPES[file_type], sizes_from_metadata(metadata), shapes, GgmlType.BF16)
    infos, offset = [], 0
    for name, shape in shapes.items():
        infos.append(TensorInfo(name, shape, types[name], offset))
        offset += padded(size_of(types[name], shape))
    path = folder / f"{model.name.replace(' ', '-')}.gguf"
    with path.open("wb") as file:
        file.write(encode_header(metadata, infos))
        file.truncate(file.tell() + offset)
    return read_facts(path)


@dataclass
class SimulatedCards:
    """llama.cpp's dry run with up to four simulated cards ("GPU0"…), each answer kept; counts what it is asked anew."""

    helper: Helper
    skeletons: Path
    known: dict[tuple[str, Candidate, tuple[str, ...]], Breakdown] = field(default_factory=dict)

    def __call__(self, facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        """Answer as the port of the planner does."""
        gpus, split = used_gpus(gpus, candidate.tensor_split)
        candidate = replace(candidate, tensor_split=split)
        key = (facts.path, candidate, gpus)
        if key not in self.known:
            self.known[key] = self._ask(facts, candidate, gpus)
        return self.known[key]

    def _ask(self, facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        answer = self.helper.ask(
            "dry_run", 60, model=facts.path, skeletons=str(self.skeletons), gpus=list(gpus), candidate=asdict(candidate)
        )
        return Breakdown(Use(**answer["host"]), {id_: Use(**use) for id_, use in answer["gpus"].items()})


@contextmanager
def simulated_cards(home: Home) -> Iterator[SimulatedCards]:
    """Yield the dry run of simulated cards in a helper of its own."""
    pronk = Pronk(home)
    cards = [[f"GPU{index}", "RTX 3060", CARD_BYTES] for index in range(MOST_CARDS)]
    helper = pronk.helper_for("--simulate", json.dumps(cards))
    try:
        helper.ask("probe", 60)  # it runs before the first test begins
        yield SimulatedCards(helper, home.cache / "skeletons")
    finally:
        helper.close()
        pronk.close()
