"""The only package of the app that imports llama_cpp; it runs in child processes only."""
