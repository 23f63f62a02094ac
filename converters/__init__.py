"""Converts a Hugging Face checkpoint to GGUF files in one pass; runs alone as `python -m converters`."""
