"""From log-probabilities to text: greedy and beam search, hotwords, forced alignment."""
