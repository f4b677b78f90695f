"""`kit eeg record`, and what goes on beside it."""
