"""A baseline that any text classifier should be compared with: TF-IDF and logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

from unimo.data.records import LabelledTextRecord


class TfidfBaseline:
    """Word unigrams and bigrams weighted by TF-IDF, under logistic regression (scikit-learn)."""

    def __init__(self, records: Sequence[LabelledTextRecord]) -> None:
        """Fit on training records."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=1, token_pattern=r"\S+")
        self._model = make_pipeline(vectorizer, LogisticRegression(C=10.0, max_iter=300))
        self._model.fit([_text(record) for record in records], [record.label for record in records])

    def accuracy(self, records: Sequence[LabelledTextRecord]) -> float:
        """Share of labels predicted right."""
        return float(self._model.score([_text(record) for record in records], [record.label for record in records]))


def _text(record: LabelledTextRecord) -> str:
    return record.text_a if record.text_b is None else f"{record.text_a} {record.text_b}"
