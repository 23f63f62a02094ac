"""The conversation page."""
