"""Conversations and their store."""
