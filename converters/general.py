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
_ARCH = "general.architecture"
_LARGEST = (1 << 31) - 1
_MOST_CARD_BYTES = 4 << 20
_log = logging.getLogger(__name__)


def general_metadata(folder: Path, architecture: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Value]:
    """Give general.architecture, type, name and the rest that config, model card and folder name tell."""
    counts = _count_parameters(shapes)
    try:
        _check_card(folder / "README.md")
        card = gguf.Metadata.load(None, folder, None, counts[0])
        found = _card_values(card, folder, counts)
    except (yaml.YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("The model card is left out: %s", error)
        found = _card_values(gguf.Metadata(), folder, counts)
    values = {"general.architecture": text(architecture), "general.type": text("model")}
    return values | found | _repetition_penalty(folder)


def file_metadata(file_type_number: int) -> dict[str, Value]:
    """Give the values that differ from type to type."""
    return {
        "general.file_type": u32(file_type_number),
        "general.quantization_version": u32(QUANTIZATION_VERSION),
    }


def _check_card(path: Path) -> None:
    """Refuse a card that is too large to be one: it would be read whole."""
    if path.is_file() and path.stat().st_size > _MOST_CARD_BYTES:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes")


def _card_values(card: "gguf.Metadata", folder: Path, counts: tuple[int, int, int, int]) -> dict[str, Value]:
    card.name = card.name or folder.name
    card.size_label = card.size_label or gguf.size_label(*counts)
    writer = gguf.GGUFWriter(path=None, arch="")
    card.set_gguf_meta_model(writer)
    typed = {
        key: _value(ValueType(int(entry.type)), entry.value) for key, entry in writer.kv_data[0].items() if key != _ARCH
    }
    for key in (key for key, value in typed.items() if value is None):
        _log.warning("The model's files give no sensible %s; it is left out.", key)
    return {key: value for key, value in typed.items() if value is not None}


def _value(kind: ValueType, data: object) -> Value | None:
    """Check what the model's own files say: a card may hold any YAML, nested without end."""
    if kind is ValueType.STRING and isinstance(data, str):
        return Value(kind, data)
    if kind is ValueType.ARRAY and isinstance(data, list):
        strings = [item for item in data if isinstance(item, str)]
        return Value(kind, strings, ValueType.STRING) if strings else None
    if isinstance(data, bool) or not isinstance(data, int | float) or not -_LARGEST <= data <= _LARGEST:
        return None
    if kind is ValueType.FLOAT32:
        return Value(kind, float(data))
    return Value(kind, data) if isinstance(data, int) and (data >= 0 or kind is ValueType.INT32) else None


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
