"""How a model fits in memory, and the sliders that change it."""
