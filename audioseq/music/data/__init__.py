"""Training data: corpora and tokenised examples."""
