"""Recordings that survive: EDF+, BDF+, XDF and the text formats, written piece by piece as packets come.

Encoders are fed the items of a capture and give pieces of a file, each of which leaves it whole; a thread
writes them, has them on the disk within a second, and cuts off what a full disk took only in part. So a
kill, a full disk or an unplugged device costs at most the second in progress. `Recorder` joins both.
"""
