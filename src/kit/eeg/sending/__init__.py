"""What looks like a device to other programs: bytes, each at its time, at a pty, a TCP port or a pipe."""
