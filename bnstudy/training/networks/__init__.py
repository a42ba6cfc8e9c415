"""Networks: models, norms, layers, and the initial weights."""
