"""Back-off n-gram models: estimation, pruning, interpolation, files."""
