"""Records, examples and batches."""
