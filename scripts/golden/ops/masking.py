"""Golden files of masking. Run: python scripts/golden/ops/masking.py

The random bits themselves are checked against the host's hash, not against PyTorch's generator.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
from common import Family, randn

f = Family()
for name, x, keep in [
    ("same", [3, 5], [3, 5]),
    ("rows", [2, 3, 4], [2, 1, 1]),
    ("grow", [4], [3, 4]),
    ("scalar", [], []),
]:
    mask = randn(*keep, seed=31) > -0.3
    f.add(
        "maskScale",
        name,
        lambda x, m: x * m * 1.25,
        [randn(*x, seed=30), mask],
        {"scale": 1.25},
        second=True,
    )
f.write()
