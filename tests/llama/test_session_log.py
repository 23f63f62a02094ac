"""What llama.cpp's complaints amount to, in words for people."""

from types import SimpleNamespace

import pytest

from app.core.errors import EngineFailed
from app.llama.session_log import LlamaLog


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "llama_model_load: error loading model: missing tensor 'output_norm.weight'",
            "Loading my model failed: missing tensor 'output_norm.weight'.",
        ),
        (
            "llama_model_load: error loading model: check_tensor_dims: tensor 'output_norm.weight' not found",
            "Loading my model failed: tensor 'output_norm.weight' not found.",
        ),
        ("ggml_backend_load: error: no such device", "Loading my model failed: error: no such device."),
        ("llama_model_load_from_file_impl: failed to load model", "Loading my model failed."),
    ],
)
def test_the_names_of_llama_cpps_functions_stay_among_the_details(said: str, message: str) -> None:
    log = LlamaLog(SimpleNamespace(llama_log_callback=lambda receive: receive, llama_log_set=lambda *_: None))
    log._receive(4, f"{said}\n".encode(), None)
    error = log.explain("Loading my model")
    assert isinstance(error, EngineFailed)
    assert error.message == message
    assert error.detail == said
    assert "verify" in error.hint
