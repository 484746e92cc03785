"""Text to tokens and back, for whatever reads or writes it."""
