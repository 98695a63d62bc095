"""Golden files of elementary functions, comparisons and extrema. Run: python scripts/golden/ops/elementwise.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
from common import Family, randn, uniform

f = Family()
INF = float("inf")
NAN = float("nan")
shapes = {"vector": [5], "odd": [3, 7], "scalar": []}


def values(*v):
    return torch.tensor(v, dtype=torch.float32).double()


smooth = {
    "exp": (torch.exp, -3, 3),
    "log": (torch.log, 0.2, 5),
    "log1p": (torch.log1p, -0.8, 5),
    "expm1": (torch.expm1, -3, 3),
    "sqrt": (torch.sqrt, 0.2, 5),
    "rsqrt": (torch.rsqrt, 0.3, 5),
    "reciprocal": (torch.reciprocal, 0.4, 3),
    "square": (torch.square, -3, 3),
    "erf": (torch.erf, -2, 2),
    "sin": (torch.sin, -4, 4),
    "cos": (torch.cos, -4, 4),
    "tan": (torch.tan, -1.2, 1.2),
    "asin": (torch.asin, -0.8, 0.8),
    "acos": (torch.acos, -0.8, 0.8),
    "atan": (torch.atan, -3, 3),
    "sinh": (torch.sinh, -3, 3),
    "cosh": (torch.cosh, -3, 3),
    "asinh": (torch.asinh, -3, 3),
    "acosh": (torch.acosh, 1.2, 4),
    "atanh": (torch.atanh, -0.8, 0.8),
}
for i, (op, (fn, low, high)) in enumerate(smooth.items()):
    for name, shape in shapes.items():
        f.add(op, name, fn, [uniform(*shape, low=low, high=high, seed=i)], second=True)

edge = "infinities and the ends of the domain"
f.add("exp", "edge", torch.exp, [values(-INF, -100, 0, 80, INF, NAN)], kink=edge)
f.add("log", "edge", torch.log, [values(0, 1, INF, -1, NAN, 1e-30)], kink=edge)
f.add("log1p", "small", torch.log1p, [values(1e-8, -1e-7, 3e-5, 1e-20, 0, -0.999)], kink="steps as large as the values")
f.add("log1p", "edge", torch.log1p, [values(-1, INF, -2, NAN, 1e30)], kink=edge)
f.add("expm1", "small", torch.expm1, [values(1e-8, -1e-7, 3e-5, 1e-20, 0)], kink="steps as large as the values")
f.add("expm1", "edge", torch.expm1, [values(-INF, INF, -100, 80, NAN)], kink=edge)
f.add("sqrt", "edge", torch.sqrt, [values(0, INF, -1, NAN)], kink=edge)
f.add("reciprocal", "edge", torch.reciprocal, [values(INF, -INF, -2, NAN)], kink=edge)

for i, (op, fn) in enumerate({"abs": torch.abs, "sign": torch.sign}.items()):
    for name, shape in shapes.items():
        x = randn(*shape, seed=30 + i)
        f.add(op, name, fn, [x + torch.sign(x) * 0.25], second=op == "abs")
    f.add(op, "edge", fn, [values(0, -0.0, INF, -INF)], kink=edge)
    f.add(op, "int64", fn, [torch.tensor([-3, 0, 7])])
f.add("square", "int32", torch.square, [torch.tensor([-3, 0, 7], dtype=torch.int32)])
for i, (op, fn) in enumerate({"floor": torch.floor, "ceil": torch.ceil, "round": torch.round}.items()):
    for name, shape in shapes.items():
        f.add(op, name, fn, [randn(*shape, scale=3, seed=33 + i)], grads=False)
    f.add(op, "halves", fn, [values(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3)], grads=False)

pairs = {"same": ([2, 3], [2, 3]), "row": ([4, 3], [3]), "both": ([2, 1, 3], [4, 1]), "scalar": ([2, 2], [])}
compare = {
    "equal": torch.eq,
    "notEqual": torch.ne,
    "less": torch.lt,
    "lessEqual": torch.le,
    "greater": torch.gt,
    "greaterEqual": torch.ge,
}
for op, fn in compare.items():
    for name, (a, b) in pairs.items():
        x, y = [torch.round(randn(*s, seed=40 + k)) for k, s in enumerate([a, b])]
        f.add(op, name, fn, [x, y], grads=False)
    f.add(op, "edge", fn, [values(NAN, INF, -INF, 0, NAN), values(NAN, INF, INF, -0.0, 1)], grads=False)
    f.add(op, "int64", fn, [torch.tensor([1, -2, 2**40]), torch.tensor([1, 2, 2**40 + 1])])
f.add("equal", "bool", torch.eq, [torch.tensor([True, False, True]), torch.tensor([True, True, False])])

truth = torch.tensor([[True, False, True], [False, False, True]])
logic = {"logicalAnd": torch.logical_and, "logicalOr": torch.logical_or, "logicalXor": torch.logical_xor}
for op, fn in logic.items():
    f.add(op, "same", fn, [truth, truth.flip(0)])
    f.add(op, "row", fn, [truth, torch.tensor([True, True, False])])
    f.add(op, "scalar", fn, [truth, torch.tensor(False)])
for name, x in {"matrix": truth, "row": truth[0], "scalar": torch.tensor(True)}.items():
    f.add("logicalNot", name, torch.logical_not, [x])
odd = values(NAN, INF, -INF, 0, 1e38, -1)
for op, fn in {"isNaN": torch.isnan, "isInf": torch.isinf}.items():
    for name, x in {"vector": odd, "matrix": odd.reshape(2, 3), "scalar": odd[1].reshape([])}.items():
        f.add(op, name, fn, [x], grads=False)

for name, (c, a, b) in {
    "same": ([2, 3], [2, 3], [2, 3]),
    "broadcast": ([2, 1, 1], [3, 1], [4]),
    "scalars": ([2, 3], [], []),
}.items():
    cond = randn(*c, seed=50) > 0
    f.add("where", name, torch.where, [cond, randn(*a, seed=51), randn(*b, seed=52)], second=True)
cond = torch.tensor([True, False, True])
f.add("where", "infinite", torch.where, [cond, values(INF, INF, 1), values(NAN, 2, NAN)], kink=edge)
f.add("where", "bool", torch.where, [cond, torch.tensor(True), torch.tensor([True, False, False])])
f.add("where", "int8", torch.where, [cond, torch.tensor([1, -128, 3], dtype=torch.int8), torch.tensor([4, 127, 6], dtype=torch.int8)])
f.add("where", "int64", torch.where, [cond, torch.tensor([2**40, 2, 3]), torch.tensor(-(2**41))])

for name, low in {"zero": 0, "slope": 0.2, "negative": -0.5, "steep": 3}.items():
    f.add(
        "step",
        name,
        lambda x, low=low: torch.where(x > 0, 1.0, low).double(),
        [values(-INF, -2, -1e-30, 0, 1e-30, 0.5, 7, INF)],
        {"low": low},
        grads=False,
    )

for i, (op, fn) in enumerate({"minimum": torch.minimum, "maximum": torch.maximum}.items()):
    for name, (a, b) in pairs.items():
        f.add(op, name, fn, [randn(*a, seed=60 + i), randn(*b, seed=62 + i)], second=True)
    f.add(op, "ties", fn, [values(1, 2, 3, 0), values(1, 2.5, 2, 0)], kink="ties")
    f.add(op, "edge", fn, [values(INF, -INF, NAN, 1, -INF), values(1, -INF, 1, NAN, INF)], kink=edge)
    f.add(op, "int64", fn, [torch.tensor([5, -3, 2**40]), torch.tensor([4, 0, 2**40 + 1])])
    f.add(op, "int8", fn, [torch.tensor([5, -128], dtype=torch.int8), torch.tensor([4, 127], dtype=torch.int8)])

for name, args in {"both": {"min": -0.5, "max": 0.75}, "low": {"min": 0.1}, "high": {"max": -0.2}}.items():
    f.add("clip", name, lambda x, a=args: torch.clamp(x, **a), [randn(3, 5, seed=65)], args, second=True)
f.add("clip", "at-bounds", lambda x: torch.clamp(x, -1, 1), [values(-1, 1, -2, 2, 0)], {"min": -1, "max": 1}, kink="ties")
f.add("clip", "infinite", lambda x: torch.clamp(x, -1, 1), [values(-INF, INF)], {"min": -1, "max": 1}, kink=edge)
f.add("clip", "nan", lambda x: torch.clamp(x, -1, 1), [values(NAN, 0)], {"min": -1, "max": 1}, grads=False)
f.add("clip", "one-bound", lambda x: torch.clamp(x, min=-1), [values(-1, 1, -2)], {"min": -1}, kink="ties")
f.add("clip", "int64", lambda x: torch.clamp(x, -1, 5), [torch.tensor([-7, 3, 9])], {"min": -1, "max": 5})
f.add("clip", "uint8", lambda x: torch.clamp(x, 0, 5), [torch.tensor([0, 3, 250], dtype=torch.uint8)], {"min": -3, "max": 5})

for name, (a, b) in pairs.items():
    f.add("pow", name, torch.pow, [uniform(*a, low=0.3, high=2, seed=70), randn(*b, seed=71)], second=True)
f.add("pow", "zero-base", torch.pow, [values(0, 0, 0, 0, 0), values(0, 0.5, 1, 2, 3)], kink="a power jumps at 0")
f.add("pow", "negative-base", torch.pow, [values(-2, -2, -1.5, -2), values(2, 3, -1, 0)], kink="not defined beside whole exponents")
for e in [0, 1, 2, 3, 4, 5, 0.5, -0.5, -1, -2, -3, 1.5, 2.25]:
    x = uniform(2, 3, low=0.4, high=2, seed=72)
    if e == int(e):
        x[0] = -x[0]
    f.add("powConstant", f"{e}", lambda x, e=e: torch.pow(x, e), [x], {"exponent": e}, second=True)
for e in [0, 1, 2, 3, 4, 5, 0.5, 1.5]:
    f.add("powConstant", f"{e}-at-zero", lambda x, e=e: torch.pow(x, e), [values(0, 1)], {"exponent": e}, kink="one-sided at 0")
f.add("pow", "int64", torch.pow, [torch.tensor([2, -3, 10]), torch.tensor([10, 3, 0])])

for truncated, fn in {False: torch.remainder, True: torch.fmod}.items():
    kind = "truncated" if truncated else "floored"
    args = {"truncated": truncated}
    for name, (a, b) in pairs.items():
        d = randn(*b, seed=81)
        d = (d + torch.sign(d) * 0.5).float().double()
        f.add("mod", f"{kind}-{name}", fn, [randn(*a, scale=3, seed=80), d], args)
    f.add("mod", f"{kind}-signs", fn, [values(5, -5, 5, -5, 6, -6, -1), values(3, 3, -3, -3, 3, 3, INF)], args, kink="jumps", grads=False)
    f.add("mod", f"{kind}-int64", fn, [torch.tensor([7, -7, 7, -7, 6]), torch.tensor([3, 3, -3, -3, 3])], args)
    f.add("mod", f"{kind}-int8", fn, [torch.tensor([7, -7, 127], dtype=torch.int8), torch.tensor([3, 3, -3], dtype=torch.int8)], args)
f.write()
