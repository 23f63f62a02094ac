"""The general.* values of a file: name, author, size, sampling, as llama.cpp's converter takes them from the folder."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path

import gguf
import yaml  # type: ignore[import-untyped]

from converters.jsonfile import JsonObject, read_optional
from converters.values import Value, ValueType, f32, text, u32

QUANTIZATION_VERSION = 2  # ggml/include/ggml.h, GGML_QNT_VERSION
_log = logging.getLogger(__name__)


def general_metadata(folder: Path, architecture: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Value]:
    """Give general.architecture, type, name and the rest that config, model card and folder name tell."""
    total, shared, experts, n_expert = _count_parameters(shapes)
    writer = gguf.GGUFWriter(path=None, arch=architecture)
    card = _card(folder, total)
    card.name = card.name or folder.name
    card.size_label = card.size_label or gguf.size_label(total, shared, experts, n_expert)
    card.set_gguf_meta_model(writer)
    values = {"general.architecture": text(architecture), "general.type": text("model")}
    for key, value in writer.kv_data[0].items():
        values.setdefault(key, _value(value))
    return values | _repetition_penalty(folder)


def file_metadata(file_type_number: int) -> dict[str, Value]:
    """Give the values that differ from type to type."""
    return {
        "general.file_type": u32(file_type_number),
        "general.quantization_version": u32(QUANTIZATION_VERSION),
    }


def _card(folder: Path, n_parameters: int) -> "gguf.Metadata":
    try:
        return gguf.Metadata.load(None, folder, None, n_parameters)
    except (yaml.YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("The model card is left out: %s", error)
        return gguf.Metadata()


def _value(value: "gguf.gguf_writer.GGUFValue") -> Value:
    kind = ValueType(int(value.type))
    if kind is not ValueType.ARRAY:
        return Value(kind, value.value)
    return Value(kind, [str(item) for item in value.value], ValueType.STRING)


def _repetition_penalty(folder: Path) -> dict[str, Value]:
    """Newer llama.cpp reads this name of generation_config.json too; the gguf package does not yet."""
    config: JsonObject = read_optional(folder / "generation_config.json")
    penalty = config.get("repetition_penalty")
    if not isinstance(penalty, int | float) or isinstance(penalty, bool) or "penalty_repeat" in config:
        return {}
    return {"general.sampling.penalty_repeat": f32(penalty)}


def _count_parameters(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int, int, int]:
    """Count all, shared and per-expert parameters, and experts. Source: gguf_writer.get_total_parameter_count."""
    experts = {name: shape for name, shape in shapes.items() if "_exps." in name and len(shape) >= 3}
    total = sum(math.prod(shape) for shape in shapes.values())
    in_experts = sum(math.prod(shape) for shape in experts.values())
    one_expert = sum(math.prod(shape) // shape[-3] for shape in experts.values())
    n_expert = sum(shape[-3] for shape in experts.values()) // len(experts) if experts else 0
    return total, total - in_experts, one_expert, n_expert
