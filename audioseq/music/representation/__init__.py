"""Pieces as events: the grid, the vocabulary, the tokenizer, and the state that constrains the next event."""
