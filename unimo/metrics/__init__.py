"""Scores: pure functions of predictions and references. What is undefined is None, never 0."""
