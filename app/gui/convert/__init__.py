"""The page that makes a GGUF model of a checkpoint."""
