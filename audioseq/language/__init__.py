"""Language models: recurrent and n-gram models of words, subwords or characters."""
