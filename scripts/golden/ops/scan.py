"""Golden files of scans, against the same loops in PyTorch. Run: python scripts/golden/ops/scan.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
from common import Family, randn

f = Family()


def order(xs, reverse):
    steps = range(xs.shape[0])
    return reversed(steps) if reverse else steps


def stacked(ys, reverse):
    return torch.stack(ys[::-1] if reverse else ys)


def lstm(xs, h, c, w, u, b, reverse=False):
    ys = []
    for t in order(xs, reverse):
        i, g, fo, o = (xs[t] @ w + h @ u + b).chunk(4, dim=-1)
        c = torch.sigmoid(fo) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        ys.append(h)
    return stacked(ys, reverse), h, c


def gru(xs, h, w, u, reverse=False):
    """The recurrent weights are used transposed and scaled: derived values are captured too."""
    u = u.T * 0.5
    ys, rs = [], []
    for t in order(xs, reverse):
        zr = torch.sigmoid(xs[t] @ w[:, :6] + h @ u[:, :6])
        z, r = zr.chunk(2, dim=-1)
        n = torch.tanh(xs[t] @ w[:, 6:] + (r * h) @ u[:, 6:])
        h = (1 - z) * n + z * h
        ys.append(h)
        rs.append(r)
    return stacked(ys, reverse), stacked(rs, reverse), h


def power(x, w, steps):
    for _ in range(steps):
        x = torch.tanh(x @ w)
    return x


def counted(xs, s):
    """An integer carry scales each step; only the last carry is returned."""
    for t in range(xs.shape[0]):
        s = s * xs[t] + (t + 1)
    return s


def nested(xs, s):
    """Each step runs an inner loop over its own slice, with a value captured from two levels up."""
    ys = []
    for t in range(xs.shape[0]):
        q = s
        for k in range(xs.shape[1]):
            q = q * torch.tanh(xs[t, k] + s)
        s = s + q
        ys.append(q)
    return torch.stack(ys), s


for reverse in (False, True):
    name = "lstm-reverse" if reverse else "lstm"
    f.add(
        "scan",
        name,
        lambda *a, r=reverse: lstm(*a, reverse=r),
        [
            randn(4, 2, 3, seed=60),
            randn(2, 2, seed=61),
            randn(2, 2, seed=62),
            randn(3, 8, seed=63, scale=0.5),
            randn(2, 8, seed=64, scale=0.5),
            randn(8, seed=65),
        ],
        {"net": "lstm", "reverse": reverse},
        second=True,
    )
    name = "gru-reverse" if reverse else "gru"
    f.add(
        "scan",
        name,
        lambda *a, r=reverse: gru(*a, reverse=r),
        [
            randn(3, 1, 2, seed=66),
            randn(1, 3, seed=67),
            randn(2, 9, seed=68, scale=0.5),
            randn(9, 3, seed=69),
        ],
        {"net": "gru", "reverse": reverse},
        second=True,
    )
f.add(
    "scan",
    "length-only",
    lambda x, w: power(x, w, 3),
    [randn(2, 3, seed=70), randn(3, 3, seed=71)],
    {"net": "power", "length": 3},
    second=True,
)
f.add("scan", "one-step", lambda x, w: power(x, w, 1), [randn(1, 2, seed=72), randn(2, 2, seed=73)], {"net": "power", "length": 1}, second=True)
f.add("scan", "integer-carry", counted, [randn(4, 3, seed=74), randn(3, seed=75)], {"net": "counted"}, second=True)
f.add("scan", "nested", nested, [randn(3, 2, 2, seed=76), randn(2, seed=77)], {"net": "nested"}, second=True)
f.write()
