"""The agent's processes: a supervisor without keys, a zygote without clients, workers that serve.

The supervisor accepts each connection, finds out who connected, and hands it to a worker. The zygote holds
the keys, decides every change to them, and forks the workers. A worker answers its clients. What they say to
each other stands in `channels`; every channel is a socket pair, so nobody else can speak on it.
"""
