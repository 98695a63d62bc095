"""Golden files of the activation functions. Run: python scripts/golden/ops/activation.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
import torch.nn.functional as F
from common import Family, randn

f = Family()


def values(*v):
    return torch.tensor(v, dtype=torch.float32).double()


def away(x, *points):
    """Moves values off the kinks, where one-sided derivatives differ."""
    for p in points:
        x = torch.where((x - p).abs() < 0.05, x + 0.1, x)
    return x.float().double()


smooth = [
    ("tanh", torch.tanh, {}),
    ("sigmoid", torch.sigmoid, {}),
    # PyTorch's own goes over to x above 20, 2e-9 away.
    ("softplus", lambda x: torch.logaddexp(x, torch.zeros_like(x)), {}),
    ("logSigmoid", F.logsigmoid, {}),
    ("silu", F.silu, {}),
    ("mish", lambda x: x * torch.tanh(torch.logaddexp(x, torch.zeros_like(x))), {}),
    ("gelu", F.gelu, {"approximate": "none"}),
    ("gelu", lambda x: F.gelu(x, approximate="tanh"), {"approximate": "tanh"}),
]
shapes = {"vector": [5], "odd": [3, 7], "scalar": []}
extreme = values(-100, -30, -8, -5, -1e-4, 0, 1e-4, 5, 8, 30, 100)
for op, fn, args in smooth:
    tag = f"-{args['approximate']}" if args else ""
    for name, shape in shapes.items():
        f.add(op, name + tag, fn, [randn(*shape, scale=2, seed=1)], args, second=True)
    f.add(op, "extreme" + tag, fn, [extreme], args, second=True)


def slope(approximate):
    def fn(x):
        if not x.requires_grad:
            x = x.clone().requires_grad_()
        return torch.autograd.grad(F.gelu(x, approximate=approximate).sum(), x, create_graph=True)[0]

    return fn


for approximate in ["none", "tanh"]:
    for name, shape in {"vector": [5], "odd": [3, 7]}.items():
        x = randn(*shape, scale=2, seed=2)
        f.add("geluSlope", f"{name}-{approximate}", slope(approximate), [x], {"approximate": approximate}, second=True)

kinked = [
    ("relu", F.relu, {}, [0]),
    ("relu6", F.relu6, {}, [0, 6]),
    ("leakyRelu", lambda x: F.leaky_relu(x, 0.1), {"slope": 0.1}, [0]),
    ("leakyRelu", lambda x: F.leaky_relu(x, 1.5), {"slope": 1.5}, [0]),
    ("elu", F.elu, {"alpha": 1}, [0]),
    ("elu", lambda x: F.elu(x, 0.7), {"alpha": 0.7}, [0]),
    ("selu", F.selu, {}, [0]),
    ("hardsigmoid", F.hardsigmoid, {}, [-3, 3]),
    ("hardswish", F.hardswish, {}, [-3, 3]),
]
# PyTorch's own have no second derivative.
twice = {
    "hardsigmoid": lambda x: torch.clamp(x / 6 + 0.5, 0, 1),
    "hardswish": lambda x: x * torch.clamp(x / 6 + 0.5, 0, 1),
}
for op, fn, args, points in kinked:
    tag = "".join(f"-{v}" for v in args.values())
    for name, shape in shapes.items():
        x = away(randn(*shape, scale=4, seed=3), *points)
        f.add(op, name + tag, twice.get(op, fn), [x], args, second=True)
    f.add(op, "extreme" + tag, fn, [values(-100, -30, -2, 2, 30, 100)], args)
    f.add(op, "kinks" + tag, fn, [values(*points)], args, kink="the points where slopes jump")
x = away(randn(3, 5, scale=3, seed=4), -2.5, 2.5)
f.add("hardsigmoid", "onnx", lambda x: torch.clamp(0.2 * x + 0.5, 0, 1), [x], {"alpha": 0.2, "beta": 0.5})
INF = float("inf")
for op, fn, args in smooth + [(op, fn, args) for op, fn, args, _ in kinked]:
    tag = "".join(f"-{v}" for v in args.values())
    # PyTorch's gelu of infinity is NaN in one of its kernels and infinity in the other.
    x = values(float("nan"), 1) if op == "gelu" else values(float("nan"), INF, -INF, 1)
    f.add(op, "not-finite" + tag, fn, [x], args, grads=False)
f.write()
