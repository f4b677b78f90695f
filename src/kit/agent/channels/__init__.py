"""What passes between the agent's processes: messages, audit records, and the counters that all share."""
