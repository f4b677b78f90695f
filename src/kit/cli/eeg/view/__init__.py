"""`kit eeg view`, in a terminal and in a window."""
