"""The audit log: one JSON line for each private operation and each administrative act.

A worker encodes an `Act` and writes it whole to its pipe before it answers; the supervisor turns the frames
of each pipe into lines and keeps those until a sink has them. Who was asked, by whom, and how it ended: never
content, never a signature. A worker that was taken over can lie about what it does itself. It cannot write in
another's name, break a line, or make the supervisor keep more than the limits that stand in these modules.
"""
