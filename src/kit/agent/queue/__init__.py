"""OpenSMTPD's encrypted queue files: their format, the key that seals and opens them, and the way of a file
through the agent, a piece at a time.
"""
