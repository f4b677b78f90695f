"""The commands of `kit eeg`."""
