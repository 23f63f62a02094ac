"""Measuring what this computer can do."""
