"""Weights of other programs: their parameter names and ours."""
