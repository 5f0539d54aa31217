"""A baseline that any classifier of texts, with images or without, should be compared with: it reads words alone."""

from __future__ import annotations

from collections.abc import Sequence


class TfidfBaseline:
    """Word unigrams and bigrams weighted by TF-IDF, under logistic regression (scikit-learn)."""

    def __init__(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Fit on training records."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=1, token_pattern=r"\S+")
        self._model = make_pipeline(vectorizer, LogisticRegression(C=10.0, max_iter=300))
        self._model.fit(texts, labels)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The label of every text."""
        return [str(label) for label in self._model.predict(texts)]

    def accuracy(self, texts: Sequence[str], labels: Sequence[str]) -> float:
        """Share of labels predicted right."""
        return float(self._model.score(texts, labels))
