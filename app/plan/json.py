"""A plan as the contract's JSON document, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.core.errors import BadRequest
from app.plan.given import check_document
from app.plan.values import DevicePlan, ExpectedSpeed, LoadPlan, TensorOverride

PLAIN_FIELDS = (
    "n_gpu_layers",
    "n_layers_total",
    "context",
    "kv_type",
    "flash_attention",
    "n_batch",
    "n_ubatch",
    "n_outputs_max",
    "n_threads",
    "parallel",
    "verdict",
    "method",
    "elapsed_ms",
)


def plan_document(plan: LoadPlan) -> dict[str, Any]:
    """Return the plan as plain JSON values, with the contract's fields."""
    document = {name: getattr(plan, name) for name in PLAIN_FIELDS}
    document["elapsed_ms"] = round(plan.elapsed_ms, 2)
    return {
        **document,
        "tensor_split": list(plan.tensor_split),
        "tensor_overrides": [asdict(override) for override in plan.tensor_overrides],
        "devices": [asdict(device) for device in plan.devices],
        "host": asdict(plan.host),
        "expected": {name: round(value, 2) for name, value in asdict(plan.expected).items()},
        "reasons": list(plan.reasons),
        "alternatives": [plan_document(other) for other in plan.alternatives],
    }


def plan_from_document(document: Mapping[str, Any]) -> LoadPlan:
    """Return the plan that a document holds; raises BadRequest for fields that are missing or make no sense."""
    try:
        others = [{**other, "alternatives": ()} for other in document.get("alternatives", ())]
        check_document(document)
        return LoadPlan(
            **{name: document[name] for name in PLAIN_FIELDS},
            tensor_split=tuple(int(share) for share in document["tensor_split"]),
            tensor_overrides=tuple(TensorOverride(**override) for override in document["tensor_overrides"]),
            devices=tuple(DevicePlan(**device) for device in document["devices"]),
            host=DevicePlan(**document["host"]),
            expected=ExpectedSpeed(**document["expected"]),
            reasons=tuple(str(reason) for reason in document.get("reasons", ())),
            alternatives=tuple(plan_from_document(other) for other in others),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadRequest(
            f"This is no plan of Pronk ({type(error).__name__}: {error}).",
            hint="Make one with: pronk plan MODEL --json",
        ) from error
