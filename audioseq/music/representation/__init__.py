"""Scores as events: the grid, the vocabulary, tokenisation, and which event may follow which."""
