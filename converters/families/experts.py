"""Experts of a feed-forward: saved one by one as repositories have them, or fused in one piece by transformers 5.

Source: HF modeling_qwen2_moe.py, Qwen2MoeExperts; llama.cpp conversion/qwen.py, Qwen2MoeModel.modify_tensors.
"""

import re
from collections.abc import Collection, Mapping

from converters.errors import BadCheckpoint
from converters.families.base import Target
from converters.layout import Layout
from converters.transforms import Transform

_FUSED = "mlp.experts.gate_up_proj"
_STORED_FUSED = re.compile(rf"(?:.*\.)?layers\.(\d+)\.{re.escape(_FUSED)}(?:\.weight)?")
_WITH_ENDING = (".experts.gate_up_proj.weight", ".experts.down_proj.weight")
_GATE, _UP, _DOWN = (f"blk.{{i}}.ffn_{part}_exps.weight" for part in ("gate", "up", "down"))
FUSED_EXPERTS: Mapping[str, Target] = {
    f"model.layers.{{i}}.{_FUSED}": (_GATE, _UP),
    "model.layers.{i}.mlp.experts.down_proj": _DOWN,
}


def plain_name(name: str) -> str:
    """Give a fused tensor's name without the ending .weight that some checkpoints have."""
    return name.removesuffix(".weight") if name.endswith(_WITH_ENDING) else name


def fused_blocks(canonical_names: Collection[str]) -> list[int]:
    """Name the blocks whose experts are stored in one piece; a checkpoint may hold both forms."""
    found = (_STORED_FUSED.fullmatch(name) for name in canonical_names)
    return sorted({int(match[1]) for match in found if match})


def is_form_of(theirs: str, fused: bool) -> bool:
    """Tell whether a row of a table speaks of experts as they are saved, for rows that speak of experts."""
    return "mlp.experts." not in theirs or ("{e}" not in theirs) == fused


def expert_half(pattern: str) -> Transform | None:
    """Give how a stack of gates or ups comes out of the stored tensor, or None for any other tensor."""
    if pattern not in (_GATE, _UP):
        return None

    def take(whole: Layout) -> Layout:
        if len(whole.shape) == 2:  # one expert's own
            return whole
        if len(whole.shape) != 3:
            raise BadCheckpoint(f"Experts of shape {list(whole.shape)} are no stack of matrices.")
        width, rest = divmod(whole.shape[1], 2)
        if rest:
            raise BadCheckpoint(f"Gates and ups of shape {list(whole.shape)} cannot be halved.")
        return whole[:, :width] if pattern == _GATE else whole[:, width:]

    return Transform(take)
