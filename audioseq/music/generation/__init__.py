"""Sampling of new pieces: the stepper, guidance, repetition, endings."""
