"""Restore punctuation and case: a recurrent network labels each word with its case and the mark after it."""
