"""Where packets go: watches a port for a while, asks the kernel, and says what was lost where and what helps.

`watching` runs the walk from a source to a capture and collects facts; `kernel` and `metronome` measure what
the capture cannot see; `findings` makes of the facts what they mean; `words` and `record` tell it.
"""
