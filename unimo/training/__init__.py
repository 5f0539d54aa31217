"""Training: the one trainer, the optimizer and its schedules, checkpoints and the run log."""
