"""The corpus of contrastive learning (PAPER 3.1): captions rewritten, and images and texts retrieved for every pair."""
