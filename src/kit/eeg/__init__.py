"""OpenEEG capture: packets from a serial line, what was lost and why."""
