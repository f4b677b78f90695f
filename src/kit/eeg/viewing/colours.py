"""The colours of the view, by name. Pure.

They are those of Okabe and Ito ("Color Universal Design", 2008), which people with any colour vision tell
apart; what a colour says stands there in another way, too.
"""

from __future__ import annotations

SKY, ORANGE, GREEN, PURPLE = "#56b4e9", "#e69f00", "#009e73", "#cc79a7"
BLUE, YELLOW, VERMILION = "#0072b2", "#f0e442", "#d55e00"
GREY = "#8a8a8a"

CHANNELS = (SKY, ORANGE, GREEN, PURPLE, BLUE, YELLOW)
GAP = VERMILION
GAP_GROUND = "#6a2416"  # behind traces, which stay the brightest
MARK = YELLOW
BUTTON = PURPLE
AXIS = GREY
# Matplotlib's "viridis": evenly lighter, and told apart by people with any colour vision.
SCALE = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725")


def of_channel(channel: int) -> str:
    """Channel 1, 2, …"""
    return CHANNELS[(channel - 1) % len(CHANNELS)]
