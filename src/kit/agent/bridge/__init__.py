"""Bridges: processes without keys that speak a foreign protocol to programs, and the agent's own to workers.

A bridge outlives what it depends on. Its programs never connect again once their socket broke, so it keeps
their connections while a worker, the zygote or the whole agent is replaced, and meanwhile answers an error.
"""
