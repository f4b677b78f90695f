"""Microvolts."""

from __future__ import annotations

from kit.eeg.scale import Scale


def test_the_nominal_scale_is_half_a_microvolt_a_count_around_512() -> None:
    scale = Scale()
    assert [scale.microvolts(count) for count in (0, 512, 513, 1023)] == [-256, 0, 0.5, 255.5]
    assert scale.origin == "nominal"


def test_a_scale_of_ones_own_has_its_own_zero() -> None:
    assert Scale(0.25, 500, "given").microvolts(600) == 25
