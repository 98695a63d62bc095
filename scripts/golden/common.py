"""Shared parts of the golden-file scripts: PyTorch in float64 is the referee.

A golden file holds, for one operation, several cases with small inputs, the outputs, the gradient
of each floating-point input for given output gradients `dys`, and (where asked) the gradient of
sum(<grads, vs>): the second order. Values are written with nine significant digits.
"""

import json
import pathlib
import zlib

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "test" / "golden" / "ops"

DTYPES = {
    torch.float64: "float32",  # computed in double, stored for a float32 graph
    torch.float32: "float32",
    torch.int64: "int64",
    torch.int32: "int32",
    torch.bool: "bool",
    torch.uint8: "uint8",
    torch.int8: "int8",
}


def randn(*shape, scale=1.0, shift=0.0, seed=0):
    """Values that float32 holds exactly, as a double tensor."""
    g = torch.Generator().manual_seed(seed * 7919 + sum((i + 3) * s for i, s in enumerate(shape)))
    x = torch.randn(shape, generator=g, dtype=torch.float64) * scale + shift
    return x.float().double()


def uniform(*shape, low=0.0, high=1.0, seed=0):
    g = torch.Generator().manual_seed(seed * 104729 + sum((i + 5) * s for i, s in enumerate(shape)))
    x = torch.rand(shape, generator=g, dtype=torch.float64) * (high - low) + low
    return x.float().double()


def number(v):
    if isinstance(v, bool):
        return int(v)
    if isinstance(v, int):
        return v
    if v != v:
        return "NaN"
    if v in (float("inf"), float("-inf")):
        return "Infinity" if v > 0 else "-Infinity"
    return float(f"{v:.9g}")


def tensor(t):
    t = t.detach()
    if t._is_zerotensor():  # autograd's stand-in for a known zero has no storage to read
        t = torch.zeros(t.shape, dtype=t.dtype)
    return {
        "dtype": DTYPES[t.dtype],
        "shape": list(t.shape),
        "data": [number(v) for v in t.contiguous().reshape(-1).tolist()],
    }


class Family:
    """Collects the cases of a family of operations; `write` makes one file an operation."""

    def __init__(self):
        self.ops = {}

    def add(self, op, case, fn, inputs, args=None, second=False, grads=True, kink=None):
        """fn(*inputs) -> tensor or tuple of tensors. `args` is handed to the test as it is.

        `kink` says why central differences do not hold for this case (ties, infinities).
        """
        inputs = [x.clone() for x in inputs]
        floats = [x.dtype == torch.float64 and grads for x in inputs]
        for x, f in zip(inputs, floats):
            x.requires_grad_(f)
        out = fn(*inputs)
        outs = list(out) if isinstance(out, (tuple, list)) else [out]
        entry = {
            "name": case,
            "args": args or {},
            "inputs": [tensor(x) for x in inputs],
            "outputs": [tensor(y) for y in outs],
        }
        if kink:
            entry["kink"] = kink
        diff = [y for y in outs if y.requires_grad]
        if diff and any(floats):
            seed = zlib.crc32(f"{op}/{case}".encode()) % 1000
            dys = [
                randn(*y.shape, seed=seed + i).requires_grad_() if y.requires_grad else None
                for i, y in enumerate(outs)
            ]
            wrt = [x for x, f in zip(inputs, floats) if f]
            got = torch.autograd.grad(
                diff, wrt, [d for d in dys if d is not None], create_graph=second, allow_unused=True
            )
            it = iter(got)
            grads_out = [
                (lambda g, x: g if g is not None else torch.zeros_like(x))(next(it), x) if f else None
                for x, f in zip(inputs, floats)
            ]
            entry["dys"] = [None if d is None else tensor(d) for d in dys]
            entry["grads"] = [None if g is None else tensor(g) for g in grads_out]
            if second:
                vs = [
                    None if g is None else randn(*g.shape, seed=seed + 50 + i)
                    for i, g in enumerate(grads_out)
                ]
                total = sum(
                    (g * v).sum() for g, v in zip(grads_out, vs) if g is not None
                )
                dydiff = [d for d in dys if d is not None]
                if total.requires_grad:
                    got2 = torch.autograd.grad(total, wrt + dydiff, allow_unused=True)
                else:
                    got2 = [None] * (len(wrt) + len(dydiff))
                it = iter(got2)
                entry["vs"] = [None if v is None else tensor(v) for v in vs]
                entry["second"] = [
                    tensor((lambda g: g if g is not None else torch.zeros_like(x))(next(it))) if f else None
                    for x, f in zip(inputs, floats)
                ]
                entry["secondDys"] = [
                    None
                    if d is None
                    else tensor((lambda g: g if g is not None else torch.zeros_like(d))(next(it)))
                    for d in dys
                ]
        self.ops.setdefault(op, []).append(entry)

    def write(self):
        OUT.mkdir(parents=True, exist_ok=True)
        for op, cases in self.ops.items():
            path = OUT / f"{op}.json"
            body = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
            path.write_text('{"op":%s,"cases":[\n%s\n]}\n' % (json.dumps(op), body))
            print(f"{path.relative_to(ROOT)}: {len(cases)} cases, {path.stat().st_size} bytes")
