"""Scores to sound: FluidSynth, or the built-in synthesiser."""
