"""Turns a checkpoint's tokenizer files (JSON only) into GGUF values, and proves that both give the same ids."""
