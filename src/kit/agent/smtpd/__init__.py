"""In the place of OpenSMTPD's key process: a bridge from smtpd's own protocol to the agent, without keys.

smtpd starts its processes anew by its argv[0], with `-x NAME` and descriptor 3. `stand_in` is what stands
there: called for `ca`, it becomes the bridge, for any other process it executes the real smtpd. The protocol
is in `imsg` and `requests`, which are fed bytes; `bridge` owns the descriptors; `keys` asks the agent.
"""
