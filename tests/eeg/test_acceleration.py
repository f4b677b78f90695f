from __future__ import annotations

import subprocess
import sys

import pytest

from kit.eeg.acceleration import LONG_BATCH, MUCH, Acceleration


def test_short_batches_never_pay() -> None:
    acceleration = Acceleration()
    assert not any(acceleration.pays(LONG_BATCH - 1) for _ in range(MUCH))


def test_long_batches_pay_when_there_were_many() -> None:
    acceleration = Acceleration()
    answers = [acceleration.pays(MUCH // 4) for _ in range(6)]
    assert answers == [False, False, False, True, True, True]
    assert not acceleration.pays(LONG_BATCH - 1)


def test_nothing_pays_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "kit.eeg.fast", raising=False)
    acceleration = Acceleration()
    assert not any(acceleration.pays(MUCH) for _ in range(3))


def test_numpy_is_loaded_when_it_pays_and_not_before() -> None:
    program = f"""
import sys
import kit.eeg.formats.eegreader, kit.eeg.stats.accelerated, kit.eeg.reading
from kit.eeg.acceleration import Acceleration
acceleration = Acceleration()
acceleration.pays({MUCH - 1})
assert "numpy" not in sys.modules
assert acceleration.pays({LONG_BATCH})
assert "numpy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
