"""What models that give one vector or one score for a text say of it."""

from converters.families.config import Config
from converters.folder_facts import POOLING
from converters.values import Value, u32

RANK = 4
_KINDS = {"mean": 1, "cls": 2, "lasttoken": 3}  # include/llama.h, enum llama_pooling_type


def pooling_metadata(architecture: str, config: Config) -> dict[str, Value]:
    """Give the key of the pooling that the folder states (folder_facts.py), if any."""
    kind = _KINDS.get(config.get(POOLING, ""))
    return {} if kind is None else {f"{architecture}.pooling_type": u32(kind)}
