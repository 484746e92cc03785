"""Linear baselines on counts of words and bigrams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from texts import Text

BASELINES = ("majority", "naive Bayes", "logistic regression", "logistic regression on naive Bayes ratios")


def accuracies(train: Sequence[Text], test: Sequence[Text]) -> dict[str, float]:
    """Train the baselines on words and bigrams, each counted once a text; return their accuracies.

    The last one weights the counts by their log-count ratios, after Wang & Manning 2012, "Baselines and
    bigrams: simple, good sentiment and topic classification" (there a support vector machine).
    """
    counter = CountVectorizer(ngram_range=(1, 2), binary=True, token_pattern=r"\S+")
    x, x_test = (
        counter.fit_transform(text.words for text in train),
        counter.transform(text.words for text in test),
    )
    y, y_test = (np.array([text.label for text in texts]) for texts in (train, test))
    bayes = MultinomialNB().fit(x, y)
    ratios = bayes.feature_log_prob_[1] - bayes.feature_log_prob_[0]

    def regression(scale: Any) -> Any:
        model = LogisticRegression(max_iter=1000).fit(x.multiply(scale).tocsr(), y)
        return model.predict(x_test.multiply(scale).tocsr())

    predictions = [
        np.full(len(test), round(y.mean())),
        bayes.predict(x_test),
        regression(np.ones_like(ratios)),
        regression(ratios),
    ]
    return {
        name: float((labels == y_test).mean()) for name, labels in zip(BASELINES, predictions, strict=True)
    }
