"""Candidates and breakdowns as they cross the pipe between planner and helper."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.llama.memory import BufferUse
    from app.llama.parameters import ContextSize, Placement


def placement_of(candidate: Mapping[str, Any], gpus: Sequence[str]) -> "Placement":
    """Return where a candidate (app.plan.values.Candidate as a dict) puts the model's tensors."""
    from app.llama.parameters import Placement

    return Placement(
        int(candidate["n_gpu_layers"]),
        tuple(gpus),
        tuple(int(share) for share in candidate["tensor_split"]),
        tuple((override["pattern"], override["device"]) for override in candidate["tensor_overrides"]),
    )


def size_of(candidate: Mapping[str, Any]) -> "ContextSize":
    """Return what a candidate asks of the context."""
    from app.llama.parameters import ContextSize

    return ContextSize(
        int(candidate["context"]),
        str(candidate["kv_type"]),
        int(candidate["n_ubatch"]),
        int(candidate["parallel"]),
        int(candidate["n_outputs_max"]),
    )


def by_device(uses: Sequence["BufferUse"], gpus: Sequence[str]) -> dict[str, Any]:
    """Return {host, gpus: {id}} with the bytes of app.plan.values.Use, buffer types of one device added up."""

    def total(device: str) -> dict[str, int]:
        mine = [use for use in uses if use.device == device]
        return {
            "weights_bytes": sum(use.model_bytes for use in mine),
            "kv_bytes": sum(use.context_bytes for use in mine),
            "compute_bytes": sum(use.compute_bytes for use in mine),
        }

    return {"host": total(""), "gpus": {gpu: total(gpu) for gpu in gpus}}
