"""Golden files of operations that steer gradients. Run: python scripts/golden/ops/control.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
from common import Family, randn


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, dy):
        return -ctx.factor * dy, None


class Cube(torch.autograd.Function):
    """x^3 and the product with y, with the gradients doubled and tripled."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x**3, x * y

    @staticmethod
    def backward(ctx, da, db):
        x, y = ctx.saved_tensors
        return 2 * (3 * x**2 * da + y * db), 3 * x * db


f = Family()
for name, shape, factor in [("vector", [5], 1.0), ("matrix", [2, 3], 0.25), ("scalar", [], -2.0)]:
    f.add(
        "reverseGradient",
        name,
        lambda x, l=factor: Reverse.apply(x * x, l) * x,
        [randn(*shape, seed=40)],
        {"lambda": factor},
        second=True,
    )
    f.add(
        "stopGradient",
        name,
        lambda x: (x * x).detach() * x + x,
        [randn(*shape, seed=41)],
        second=True,
    )
    f.add(
        "customGradient",
        name,
        lambda x, y: tuple(t * 1.5 for t in Cube.apply(x, y)),
        [randn(*shape, seed=42), randn(*shape, seed=43)],
        second=True,
    )
f.write()
