"""Start, watch and cancel child processes that speak JSON lines; no Qt."""
