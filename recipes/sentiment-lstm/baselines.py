"""Rivals that know no order of words but pairs: what a recurrent network has to be better than."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from texts import Text

RIVALS = ("majority", "naive Bayes", "logistic regression", "logistic regression on naive Bayes ratios")


def accuracies(train: Sequence[Text], test: Sequence[Text]) -> dict[str, float]:
    """Return the accuracy of each rival: words and pairs of words, each counted once a text.

    The last one weighs them by their log-count ratios first, after Wang & Manning 2012, "Baselines and
    bigrams: simple, good sentiment and topic classification" (there a support vector machine).
    """
    counter = CountVectorizer(ngram_range=(1, 2), binary=True, token_pattern=r"\S+")
    x, z = counter.fit_transform(text.words for text in train), counter.transform(text.words for text in test)
    y, wanted = (np.array([text.label for text in texts]) for texts in (train, test))
    bayes = MultinomialNB().fit(x, y)
    ratios = bayes.feature_log_prob_[1] - bayes.feature_log_prob_[0]

    def regression(scale: Any) -> Any:
        model = LogisticRegression(max_iter=1000).fit(x.multiply(scale).tocsr(), y)
        return model.predict(z.multiply(scale).tocsr())

    said = [
        np.full(len(test), round(y.mean())),
        bayes.predict(z),
        regression(np.ones_like(ratios)),
        regression(ratios),
    ]
    return {name: float((each == wanted).mean()) for name, each in zip(RIVALS, said, strict=True)}
