"""A PKCS#11 token for programs that nobody changed: the server's side of p11-kit's remoting protocol.

A program loads p11-kit's own module (`p11-kit-client.so`, or any module through `p11-kit-proxy.so`), which
packs each PKCS#11 call into a message on a Unix socket. Here these messages are understood and answered, for
one token that signs and does nothing else; what takes a key is asked of the agent. Nothing here holds a key,
a socket or a clock.

The messages come from any program that may connect, and the protocol is rich: templates within templates,
lengths that a caller claims, rooms that are to be filled. So every length has a limit, no room is allocated,
and only what signing takes is understood.
"""
