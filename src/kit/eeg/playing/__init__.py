"""A recording as the device that made it: its bytes at their times, once or round after round."""
