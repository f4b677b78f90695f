"""A device that is not there: a believable signal, the faults of a line, and the truth about them."""
