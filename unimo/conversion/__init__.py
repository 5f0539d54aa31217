"""Checkpoints of other programs (the original release, RoBERTa, Paddle state dicts) and ours."""
