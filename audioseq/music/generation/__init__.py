"""Generation of pieces: sampling, guidance, repetition, endings, and the network step by step."""
