"""The commands of `kit agent`."""
