"""Arithmetic and search from model, devices and request to a load plan; pure."""
