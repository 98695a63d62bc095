"""Golden files of resize. Run: python scripts/golden/ops/resize.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch.nn.functional as F
from common import Family, randn

f = Family()
for name, x, o in [
    ("nearest-twice", randn(2, 2, 3, 4, seed=1), {"scale": 2}),
    ("nearest-1d", randn(2, 2, 5, seed=2), {"size": [8]}),
    ("nearest-odd", randn(1, 2, 4, 5, seed=3), {"size": [7, 3]}),
    ("nearest-half", randn(1, 2, 6, 5, seed=4), {"scale": 0.5}),
    ("nearest-uneven-scale", randn(1, 2, 4, 6, seed=5), {"scale": [1.7, 0.8]}),
    ("nearest-exact", randn(1, 2, 4, 5, seed=6), {"size": [7, 3], "coordinates": "half-pixel"}),
    ("nearest-exact-twice", randn(1, 2, 3, 2, seed=7), {"size": [6, 4], "coordinates": "half-pixel"}),
    ("pixel", randn(2, 3, 1, 1, seed=8), {"size": [3, 2]}),
]:
    mode = "nearest-exact" if o.get("coordinates") else "nearest"
    call = lambda x, o=o, m=mode: F.interpolate(x, size=o.get("size"), scale_factor=o.get("scale"), mode=m)
    f.add("resize", name, call, [x], {"mode": "nearest", **o}, second=True)

for name, x, o in [
    ("bilinear-twice", randn(2, 2, 3, 4, seed=9), {"scale": 2}),
    ("bilinear-1d", randn(2, 2, 5, seed=10), {"size": [8]}),
    ("bilinear-odd", randn(1, 2, 4, 5, seed=11), {"size": [7, 3]}),
    ("bilinear-smaller", randn(1, 2, 7, 6, seed=12), {"size": [3, 4]}),
    ("bilinear-uneven-scale", randn(1, 2, 4, 6, seed=13), {"scale": [1.7, 0.8]}),
    ("bilinear-corners", randn(2, 2, 3, 4, seed=14), {"size": [5, 7], "alignCorners": True}),
    ("bilinear-corners-smaller", randn(1, 2, 5, 6, seed=15), {"size": [3, 1], "alignCorners": True}),
    ("bilinear-corners-scale", randn(1, 2, 3, 4, seed=16), {"scale": [2, 1.5], "alignCorners": True}),
    ("bilinear-pixel", randn(1, 3, 1, 1, seed=17), {"size": [3, 2]}),
]:
    mode = "linear" if x.dim() == 3 else "bilinear"
    call = lambda x, o=o, m=mode: F.interpolate(
        x, size=o.get("size"), scale_factor=o.get("scale"), mode=m, align_corners=o.get("alignCorners", False)
    )
    f.add("resize", name, call, [x], {"mode": "bilinear", **o}, second=True)
f.write()
