"""Golden files of reductions, running sums and selection. Run: python scripts/golden/ops/reduce.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
from common import Family, randn

f = Family()
INF = float("inf")


def values(*v):
    return torch.tensor(v, dtype=torch.float32).double()


def prod(x, axes, keep):
    for a in sorted((a % x.dim() for a in axes), reverse=True):
        x = x.prod(a, keepdim=keep)
    return x


def axes_of(x, axes):
    return list(range(x.dim())) if axes is None else axes


layouts = {
    "all": ([2, 3], None, False),
    "last": ([2, 3, 5], [-1], False),
    "two-keep": ([2, 3, 4], [0, 2], True),
    "middle": ([3, 5, 2], [1], True),
    "one": ([3, 1, 2], [1], False),
}
reductions = {
    "reduceMean": lambda x, a, k: x.mean(a, keepdim=k),
    "reduceMax": lambda x, a, k: x.amax(a, keepdim=k),
    "reduceMin": lambda x, a, k: x.amin(a, keepdim=k),
    "reduceProd": prod,
    "reduceLogSumExp": lambda x, a, k: x.logsumexp(a, keepdim=k),
    "variance": lambda x, a, k: x.var(a, keepdim=k, correction=0),
    "reduceSumSquare": lambda x, a, k: x.square().sum(a, keepdim=k),
}
for i, (op, fn) in enumerate(reductions.items()):
    for name, (shape, axes, keep) in layouts.items():
        args = {"keepDims": keep} if axes is None else {"axes": axes, "keepDims": keep}
        x = randn(*shape, seed=i)
        f.add(op, name, lambda x, a=axes, k=keep, fn=fn: fn(x, axes_of(x, a), k), [x], args, second=True)

ties = values(3, 3, 1, 3, -2, -2, 0, 0, 0).reshape(3, 3)
for op, fn in {"reduceMax": torch.amax, "reduceMin": torch.amin}.items():
    f.add(op, "ties", lambda x, fn=fn: fn(x, 1), [ties], {"axes": [1]}, kink="ties")
    f.add(op, "ties-all", lambda x, fn=fn: fn(x, (0, 1)), [ties], {"axes": [0, 1]}, kink="ties")
    f.add(op, "infinite", lambda x, fn=fn: fn(x, 0), [values(INF, -INF, 1)], {"axes": [0]}, kink="infinities")
    f.add(op, "int64", lambda x, fn=fn: fn(x, 0), [torch.tensor([3, -(2**40), 2**40])], {"axes": [0]})
    f.add(op, "bool", lambda x, fn=fn: fn(x, 1), [torch.tensor([[True, False], [False, False]])], {"axes": [1]})
for name, row in {"one-zero": (2, 0, -3, 4, 1), "two-zeros": (0, 2, 0, 3, 1), "all-zero": (0, 0, 0, 0, 0)}.items():
    f.add("reduceProd", name, lambda x: x.prod(0), [values(*row)], {"axes": [0]}, second=True)
zeros = values(1, 2, 3, 0, 5, 6, 0, 0, 2, 1, 1, 0).reshape(2, 3, 2)
f.add("reduceProd", "zeros-two-axes", lambda x: prod(x, [0, 2], False), [zeros], {"axes": [0, 2]}, second=True)
f.add("reduceProd", "int64", lambda x: x.prod(), [torch.tensor([3, -4, 2**35])], {"axes": [0]})
masked = values(0, 1, 2, -INF, -INF, -INF, 1, -INF, 3).reshape(3, 3)
f.add("reduceLogSumExp", "masked", lambda x: x[::2].logsumexp(1), [masked], {"axes": [1], "rows": [0, 2]}, kink="infinities")
f.add("reduceLogSumExp", "masked-row", lambda x: x.logsumexp(1), [masked], {"axes": [1]}, kink="infinities", grads=False)
f.add("reduceLogSumExp", "large", lambda x: x.logsumexp(0), [values(1000, 999, -1000)], {"axes": [0]}, second=True, kink="steps in single precision")
f.add("variance", "corrected", lambda x: x.var(1, correction=1), [randn(3, 5, seed=9)], {"axes": [1], "correction": 1}, second=True)
f.add("variance", "large-mean", lambda x: x.var(0, correction=0), [values(10000, 10001, 10003)], {"axes": [0]})
for name, (shape, axes, keep) in list(layouts.items())[:4]:
    args = {"keepDims": keep} if axes is None else {"axes": axes, "keepDims": keep}
    f.add(
        "standardDeviation",
        name,
        lambda x, a=axes, k=keep: x.std(axes_of(x, a), keepdim=k, correction=0),
        [randn(*shape, seed=10)],
        args,
        second=True,
    )


def cumsum(x, axis, exclusive, reverse):
    y = x.flip(axis) if reverse else x
    z = y.cumsum(axis)
    z = z - y if exclusive else z
    return z.flip(axis) if reverse else z


for exclusive in [False, True]:
    for reverse in [False, True]:
        args = {"axis": 1, "exclusive": exclusive, "reverse": reverse}
        name = f"{'exclusive' if exclusive else 'inclusive'}-{'reverse' if reverse else 'forward'}"
        f.add("cumsum", name, lambda x, a=args: cumsum(x, **a), [randn(2, 5, 3, seed=11)], args, second=True)
f.add("cumsum", "last", lambda x: x.cumsum(-1), [randn(7, seed=12)], {"axis": -1}, second=True)
f.add("cumsum", "int64", lambda x: x.cumsum(0), [torch.tensor([3, -1, 2**40])], {"axis": 0})
f.add("cumsum", "uint8", lambda x: x.cumsum(0, dtype=torch.uint8), [torch.tensor([200, 100, 3], dtype=torch.uint8)], {"axis": 0})

tied = values(1, 5, 5, 2, 7, 7, 7, 0, -1, -1, 3, -1).reshape(3, 4)
for op, fn in {"argmax": torch.argmax, "argmin": torch.argmin}.items():
    for name, shape, axis, keep in [("last", [3, 5], -1, False), ("first", [4, 3], 0, True), ("middle", [2, 5, 3], 1, False)]:
        args = {"axis": axis, "keepDims": keep}
        f.add(op, name, lambda x, fn=fn, a=axis, k=keep: fn(x, a, keepdim=k), [randn(*shape, seed=13)], args, grads=False)
    firsts = [[1], [0], [2]] if op == "argmax" else [[0], [3], [0]]
    lasts = [[2], [2], [2]] if op == "argmax" else [[0], [3], [3]]
    for last, at in {False: firsts, True: lasts}.items():
        args = {"axis": 1, "keepDims": True, "last": last}
        f.add(op, f"ties-{'last' if last else 'first'}", lambda x, at=at: torch.tensor(at), [tied], args, grads=False)
    f.add(op, "int64", lambda x, fn=fn: fn(x, 0), [torch.tensor([3, -(2**40), 2**40])], {"axis": 0})

for name, shape, k, axis, largest in [
    ("last", [3, 6], 2, -1, True),
    ("smallest", [2, 5, 3], 3, 1, False),
    ("all", [4], 4, 0, True),
    ("one", [3, 4], 1, 0, True),
]:
    args = {"k": k, "axis": axis, "largest": largest}
    f.add("topK", name, lambda x, k=k, a=axis, g=largest: torch.topk(x, k, a, g), [randn(*shape, seed=14)], args, second=True)
f.add("topK", "int64", lambda x: torch.topk(x, 2), [torch.tensor([3, -(2**40), 2**40])], {"k": 2, "axis": 0, "largest": True})


def one_hot(ids, depth, axis, dtype):
    y = torch.nn.functional.one_hot(ids.long(), depth).movedim(-1, axis)
    return y.to(dtype)


ids = torch.tensor([[0, 3, 1], [2, 2, 0]])
for name, axis, dtype, torch_dtype in [
    ("last", -1, "float32", torch.float64),
    ("first", 0, "int64", torch.int64),
    ("middle", 1, "bool", torch.bool),
    ("small", -1, "uint8", torch.uint8),
]:
    args = {"depth": 4, "axis": axis, "dtype": dtype}
    f.add("oneHot", name, lambda x, a=axis, d=torch_dtype: one_hot(x, 4, a, d), [ids], args)
f.add("oneHot", "int32-ids", lambda x: one_hot(x, 5, -1, torch.float64), [ids[0].int()], {"depth": 5, "axis": -1, "dtype": "float32"})
outside = values(0, 1, 0, 0, 0, 0, 0, 0, 1).reshape(3, 3)
f.add("oneHot", "outside", lambda x: outside, [torch.tensor([1, 3, -1])], {"depth": 3, "axis": -1, "dtype": "float32"})
f.write()
