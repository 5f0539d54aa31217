"""The detector that needs no weights: drawn region proposals and a fixed descriptor."""
