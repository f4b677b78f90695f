"""`kit eeg watch`, and its options wherever else something is watched."""
