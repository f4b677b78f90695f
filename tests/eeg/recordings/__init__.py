"""Recordings: what is written, what a disk does to it, and who can read it."""
