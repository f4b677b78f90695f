"""How fast, as ratios between two things measured in turn in one run: `python -m tests.bench [WHICH …]`."""
