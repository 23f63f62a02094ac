"""Markdown of a model, untrusted and growing, on the screen."""
