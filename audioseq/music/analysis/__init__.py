"""Statistics of pieces, comparison with reference pieces, plots."""
