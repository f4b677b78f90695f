"""How many microvolts a count is: measured with a signal of known size, and kept for the device."""
