"""Figures of a capture: what came, what was lost and how, when it came, and what the channels carried."""
