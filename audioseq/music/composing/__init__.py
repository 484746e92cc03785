"""Composition of pieces: options, conditions, candidates, and what becomes of them."""
