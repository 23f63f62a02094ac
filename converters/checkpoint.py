"""Opens a Hugging Face checkpoint folder: its config and the place of every tensor, no weight read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.folder_facts import folder_facts
from converters.jsonfile import JsonObject, read_object
from converters.safetensors_header import StoredTensor, read_header

INDEX_NAME = "model.safetensors.index.json"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk: config.json with text_config hoisted and folder_facts, and every stored tensor by name."""

    folder: Path
    config: JsonObject
    tensors: Mapping[str, StoredTensor]

    @property
    def size_bytes(self) -> int:
        """Bytes of all stored tensors."""
        return sum(tensor.size_bytes for tensor in self.tensors.values())


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read config and headers; raises BadCheckpoint or UnsupportedModel, each naming the file."""
    if not folder.is_dir():
        raise BadCheckpoint(
            f"{folder} is not a folder." if folder.exists() else f"There is no folder {folder}.",
            hint="Give the folder of a Hugging Face model: config.json, *.safetensors and tokenizer.json.",
        )
    if not (folder / "config.json").is_file():
        raise BadCheckpoint(
            f"{folder} has no config.json, so it is not a Hugging Face model.",
            hint="Choose the folder that holds config.json and *.safetensors.",
        )
    config = _hoist_text_config(read_object(folder / "config.json"))
    return Checkpoint(folder, {**config, **folder_facts(folder, config)}, _collect_tensors(folder))


def _hoist_text_config(config: JsonObject) -> JsonObject:
    thinker = config.get("thinker_config")  # of the Omni models, which have a talker too
    inner = (thinker if isinstance(thinker, dict) else config).get("text_config")
    return {**config, **inner} if isinstance(inner, dict) else config


def _collect_tensors(folder: Path) -> dict[str, StoredTensor]:
    weight_map = _weight_map(folder)
    names = sorted(set(weight_map.values())) or _unindexed(folder)
    if not names:
        raise _no_weights(folder)
    tensors: dict[str, StoredTensor] = {}
    for name in names:
        for tensor in read_header(_inside(folder, name)):
            if tensor.name in tensors:
                first = tensors[tensor.name].path.name
                raise BadCheckpoint(f"Tensor {tensor.name!r} is stored twice: in {first} and in {name}.")
            tensors[tensor.name] = tensor
    if weight_map:
        _compare_with_index(weight_map, tensors)
    return tensors


def _unindexed(folder: Path) -> list[str]:
    """Name the weights of a folder without an index: the one file, or all that start with model."""
    if (folder / "model.safetensors").is_file():
        return ["model.safetensors"]
    return sorted(path.name for path in folder.glob("model*.safetensors"))


def _weight_map(folder: Path) -> dict[str, str]:
    path = folder / INDEX_NAME
    if not path.is_file():
        return {}
    weight_map = read_object(path).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise BadCheckpoint(f"{INDEX_NAME} has no usable weight_map.", hint="Download the file again.")
    return weight_map


def _inside(folder: Path, name: str) -> Path:
    """Give the path of a shard that is a bare *.safetensors name in the folder, or in a Hub cache's blobs."""
    if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
        raise BadCheckpoint(f"{INDEX_NAME} names {name!r}; only a bare .safetensors name in the folder is allowed.")
    path = folder / name
    if not path.is_file():
        raise BadCheckpoint(f"The shard {name} is missing in {folder}.", hint="Download the missing file of the model.")
    real, home = path.resolve(), folder.resolve()
    allowed = {home, home.parent.parent / "blobs"}  # a Hub snapshot links its files to ../../blobs
    if real.parent not in allowed:
        raise BadCheckpoint(f"The shard {name} leads outside the model's folder, to {real}.")
    return path


def _compare_with_index(weight_map: Mapping[str, str], tensors: Mapping[str, StoredTensor]) -> None:
    for name, file_name in weight_map.items():
        if name not in tensors or tensors[name].path.name != file_name:
            raise BadCheckpoint(
                f"{INDEX_NAME} places tensor {name!r} in {file_name}, which does not hold it.",
                hint="The shards are of different versions: download the model again.",
            )
    extra = next((name for name in tensors if name not in weight_map), None)
    if extra is not None:
        raise BadCheckpoint(f"{tensors[extra].path.name} holds tensor {extra!r}, which {INDEX_NAME} does not name.")


def _no_weights(folder: Path) -> BadCheckpoint | UnsupportedModel:
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
    if pickles:
        return UnsupportedModel(
            f"{folder} holds only pickled weights ({pickles[0]}), which can run code when opened.",
            hint="Get the .safetensors version of the model: most repositories have one, or a pull request with one.",
        )
    return BadCheckpoint(f"{folder} has no .safetensors file.", hint="Download the model's weights too.")
