"""What this computer has: processor, memory, GPUs."""
