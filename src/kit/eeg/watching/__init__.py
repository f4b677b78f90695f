"""Watching a capture: what happens in it as events, by conditions that a person states."""
