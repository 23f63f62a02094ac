"""Hugging Face and ModelScope."""
