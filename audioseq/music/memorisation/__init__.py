"""Memorisation: find copies of training data in pieces, and prevent them during generation."""
