"""The engine: an HTTP front, a llama.cpp worker, their client and supervisor."""
