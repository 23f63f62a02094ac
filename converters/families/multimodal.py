"""Names in checkpoints of models that also see or hear: their text model's prefix, and the parts that are left out."""

from collections.abc import Mapping

TEXT_PREFIXES: Mapping[str, str] = {
    "model.language_model.": "model.",
    "language_model.lm_head.": "lm_head.",
    "language_model.model.": "model.",
    "language_model.": "model.",
}
OTHER_SENSES = (
    r"(model\.)?(visual|vision_tower|vision_model|audio_tower|multi_modal_projector|patch_merger|vision_language_adapter)\..*",
)
SPEECH = (r"(talker|token2wav|code2wav)\..*",)
