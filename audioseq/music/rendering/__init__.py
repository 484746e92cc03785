"""Render scores as audio: with FluidSynth, or the built-in synthesiser."""
