"""Copies of training data: found in finished pieces, prevented while sampling."""
