"""What two or more domains need: errors, framing, output, statistics, processes, paths."""
