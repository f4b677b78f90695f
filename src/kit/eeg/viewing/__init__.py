"""The live picture of a capture: what is shown (`scene`), as plain data for whoever draws it.

A scene is fed batches and keys and knows no clock, no terminal and no window. Positions count the samples
that the device sent since the capture began, those that were lost too, so that a gap is as wide as it was
long; x counts samples from the left edge of the picture.
"""
