"""Golden files of slice, pad, flip, concat, split, stack, tile, roll.
Run: python scripts/golden/ops/slice.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import numpy as np
import torch
import torch.nn.functional as F
from common import Family, randn

f = Family()


def take(x, starts, ends, steps, axes):
    """numpy's slicing with negative steps, which PyTorch's own indexing does not have."""
    for s, e, st, a in zip(starts, ends, steps, axes):
        index = np.arange(x.shape[a])[slice(s, e, st)]
        x = x.index_select(a, torch.from_numpy(index.copy()))
    return x


for name, shape, starts, ends, steps, axes in [
    ("plain", [5, 4], [1], [3], [1], [0]),
    ("from-end", [5, 4], [-3, 1], [-1, 4], [1, 1], [0, 1]),
    ("step", [7, 5], [0, 1], [7, 5], [3, 2], [0, 1]),
    ("step-inside", [2, 9], [1], [6], [2], [-1]),
    ("backwards", [6], [4], [0], [-1], [0]),
    ("backwards-step", [8, 3], [6], [0], [-2], [0]),
    ("clamped", [4, 3], [-9, 1], [99, 99], [1, 1], [0, 1]),
    ("empty", [4, 3], [2], [2], [1], [0]),
]:
    f.add(
        "slice",
        name,
        lambda x, a=(starts, ends, steps, axes): take(x, *a),
        [randn(*shape, seed=1)],
        {"starts": starts, "ends": ends, "steps": steps, "axes": axes},
        second=True,
    )
f.add(
    "slice",
    "whole-backwards",
    lambda x: take(x, [None], [None], [-3], [0]),
    [randn(8, seed=1)],
    {"starts": [-1], "ends": [-100], "steps": [-3], "axes": [0]},
)
f.add("slice", "int64", lambda x: x[1:3], [torch.arange(5)], {"starts": [1], "ends": [3]})
for name, shape, axes in [("one", [3, 4], [1]), ("all", [2, 3, 2], None), ("two", [2, 3, 4], [0, 2])]:
    f.add(
        "flip",
        name,
        lambda x, a=axes: x.flip(a if a is not None else list(range(x.dim()))),
        [randn(*shape, seed=2)],
        {"axes": axes} if axes is not None else {},
        second=True,
    )


def torch_pad(x, pads, mode, value):
    """One axis at a time; PyTorch pads only the last axes in the copying modes."""
    for axis, (before, after) in enumerate(pads):
        if before == 0 and after == 0:
            continue
        t = x.movedim(axis, -1)
        lead = t.shape[:-1]
        t = t.reshape(1, -1, t.shape[-1])
        if mode == "constant":
            t = F.pad(t, [before, after], value=value)
        else:
            t = F.pad(t, [before, after], mode={"edge": "replicate", "wrap": "circular"}.get(mode, mode))
        x = t.reshape(*lead, t.shape[-1]).movedim(-1, axis)
    return x


for name, shape, pads, mode, value in [
    ("zeros", [2, 3], [[1, 0], [2, 1]], "constant", 0),
    ("value", [2, 2, 2], [[0, 0], [0, 3], [1, 1]], "constant", -1.5),
    ("crop", [4, 3], [[-1, 2], [1, -2]], "constant", 0),
    ("reflect", [4, 5], [[2, 1], [0, 4]], "reflect", 0),
    ("reflect-4d", [1, 2, 3, 3], [[0, 0], [0, 0], [1, 2], [2, 1]], "reflect", 0),
    ("edge", [3, 4], [[0, 2], [3, 1]], "edge", 0),
    ("edge-4d", [2, 1, 2, 3], [[0, 0], [0, 0], [1, 1], [4, 5]], "edge", 0),
    ("wrap", [3, 4], [[1, 3], [2, 0]], "wrap", 0),
]:
    f.add(
        "pad",
        name,
        lambda x, a=(pads, mode, value): torch_pad(x, *a),
        [randn(*shape, seed=3)],
        {"pads": pads, "mode": mode, "value": value},
        second=True,
    )

for name, shapes, axis in [
    ("rows", [[2, 3], [1, 3]], 0),
    ("columns", [[2, 3], [2, 1], [2, 2]], -1),
    ("middle", [[2, 1, 3], [2, 4, 3]], 1),
    ("single", [[2, 2]], 0),
]:
    xs = [randn(*s, seed=4 + i) for i, s in enumerate(shapes)]
    f.add("concat", name, lambda *t, a=axis: torch.cat(t, a), xs, {"axis": axis}, second=True)
f.add("concat", "int64", lambda *t: torch.cat(t), [torch.arange(2), torch.arange(3)], {"axis": 0})
for name, shape, sizes, axis in [
    ("equal", [6, 2], 3, 0),
    ("sizes", [2, 7], [1, 4, 2], 1),
    ("last", [2, 2, 4], 2, -1),
]:
    parts = [shape[axis] // sizes] * sizes if isinstance(sizes, int) else sizes
    f.add(
        "split",
        name,
        lambda x, p=parts, a=axis: torch.split(x, p, a),
        [randn(*shape, seed=7)],
        {"sizes": sizes, "axis": axis},
        second=True,
    )
for name, shape, axis in [("first", [2, 3], 0), ("last", [2, 3], -1), ("scalars", [], 0)]:
    xs = [randn(*shape, seed=8 + i) for i in range(3)]
    f.add("stack", name, lambda *t, a=axis: torch.stack(t, a), xs, {"axis": axis}, second=True)
for name, shape, axis in [("first", [3, 2], 0), ("last", [2, 1, 2], -1), ("vector", [3], 0)]:
    f.add("unstack", name, lambda x, a=axis: x.unbind(a), [randn(*shape, seed=9)], {"axis": axis}, second=True)
for name, shape, repeats in [("rows", [2, 3], [3, 1]), ("both", [2, 2], [2, 3]), ("3d", [1, 2, 3], [2, 1, 2])]:
    f.add("tile", name, lambda x, r=repeats: x.repeat(r), [randn(*shape, seed=10)], {"repeats": repeats}, second=True)
for name, shape, shifts, axes in [
    ("forward", [5], 2, 0),
    ("back", [3, 4], -1, 1),
    ("two", [3, 4, 2], [1, -5], [0, 1]),
    ("full-turn", [3, 2], 6, 0),
]:
    f.add("roll", name, lambda x, s=shifts, a=axes: x.roll(s, a), [randn(*shape, seed=11)], {"shifts": shifts, "axes": axes}, second=True)
f.write()
