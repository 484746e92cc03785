"""Decoding of emissions: greedy and beam search, hotwords, rescoring, forced alignment."""
