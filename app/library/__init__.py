"""Models on disk: the GGUF header reader and the SQLite index."""
