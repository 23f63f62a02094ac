"""Pronk: runs open language models on the computer its user already has."""

__version__ = "0.1.0"
