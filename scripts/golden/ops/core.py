"""Golden files of the closed core: arithmetic, layout, matmul. Run: python scripts/golden/ops/core.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
from common import Family, randn

f = Family()
pairs = {
    "same": ([2, 3], [2, 3]),
    "row": ([4, 3], [3]),
    "both": ([2, 1, 3], [4, 1]),
    "scalar": ([2, 2], []),
}
for name, (a, b) in pairs.items():
    f.add("add", name, torch.add, [randn(*a, seed=1), randn(*b, seed=2)], second=True)
    f.add("sub", name, torch.sub, [randn(*a, seed=3), randn(*b, seed=4)], second=True)
    f.add("mul", name, torch.mul, [randn(*a, seed=5), randn(*b, seed=6)], second=True)
    away = randn(*b, seed=8)
    away = (away + torch.sign(away) * 0.5).float().double()
    f.add("div", name, torch.div, [randn(*a, seed=7), away], second=True)
for name, shape in {"vector": [5], "matrix": [3, 4], "scalar": []}.items():
    f.add("neg", name, torch.neg, [randn(*shape, seed=9)], second=True)

for name, a, b in [
    ("2d", [3, 4], [4, 2]),
    ("batched", [2, 3, 4], [2, 4, 5]),
    ("broadcast", [2, 1, 3, 4], [3, 4, 2]),
    ("by-matrix", [2, 3, 4], [4, 2]),
    ("vector-left", [4], [4, 3]),
    ("vector-right", [2, 3, 4], [4]),
]:
    f.add("matmul", name, torch.matmul, [randn(*a, seed=10), randn(*b, seed=11)], second=True)
for name, a, b in [
    ("2d", [3, 4], [2, 4]),
    ("batched", [2, 3, 4], [2, 5, 4]),
    ("broadcast", [2, 1, 3, 4], [3, 2, 4]),
    ("by-matrix", [2, 3, 4], [2, 4]),
]:
    f.add("matmulTransposed", name, lambda a, b: a @ b.mT, [randn(*a, seed=16), randn(*b, seed=17)], second=True)

for to, dtype in {"float64": torch.float64, "int32": torch.int32, "bool": torch.bool}.items():
    x = torch.tensor([-2.7, -0.2, 0.0, 1.5, 3.999], dtype=torch.float32).double()
    if to != "float64":
        f.add("cast", to, lambda x, d=dtype: x.to(d), [x], {"to": to})
f.add("cast", "from-int", lambda x: x.double(), [torch.tensor([-3, 0, 7])], {"to": "float32"})

for name, a, b in [("flat", [2, 3, 4], [24]), ("split", [6, 2], [2, 3, 2]), ("infer", [4, 3], [2, -1])]:
    f.add("reshape", name, lambda x, s=b: x.reshape(s), [randn(*a, seed=12)], {"shape": b}, second=True)
for name, a, p in [("2d", [2, 3], [1, 0]), ("3d", [2, 3, 4], [2, 0, 1]), ("4d", [2, 1, 3, 2], [0, 2, 3, 1])]:
    f.add("transpose", name, lambda x, p=p: x.permute(p), [randn(*a, seed=13)], {"perm": p}, second=True)
for name, a, b in [("rows", [1, 3], [4, 3]), ("lead", [3], [2, 3]), ("odd", [2, 1, 3, 1], [2, 5, 3, 7])]:
    f.add("expand", name, lambda x, s=b: x.expand(s), [randn(*a, seed=14)], {"shape": b}, second=True)
for name, a, axes, keep in [
    ("all", [2, 3], None, False),
    ("last", [2, 3, 4], [-1], False),
    ("two-keep", [2, 3, 4], [0, 2], True),
    ("ones", [1, 3, 1], [0, 2], False),
    ("first", [6, 3], [0], False),
    ("first-two-keep", [2, 3, 4], [0, 1], True),
    ("first-of-one", [1, 5, 3], [0, 1], False),
]:
    f.add(
        "reduceSum",
        name,
        lambda x, a=axes, k=keep: x.sum(a if a is not None else list(range(x.dim())), keepdim=k),
        [randn(*a, seed=15)],
        {"axes": axes, "keepDims": keep} if axes is not None else {"keepDims": keep},
        second=True,
    )
f.write()
