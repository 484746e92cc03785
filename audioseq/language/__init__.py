"""What makes a sentence likely: models of words, estimated from text alone."""
