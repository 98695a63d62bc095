"""Golden files of softmax, normalisation and losses. Run: python scripts/golden/ops/norm.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
import torch.nn.functional as F
from common import Family, randn, uniform

f = Family()

# 64 columns take the lowering that is fused into one pass, short rows the plain one.
for name, shape, axis in [
    ("last", [3, 5], -1),
    ("first", [4, 3], 0),
    ("middle", [2, 3, 2], 1),
    ("long-rows", [2, 64], -1),
    ("vector", [4], 0),
]:
    x = randn(*shape, seed=1, scale=2)
    f.add("softmax", name, lambda x, a=axis: x.softmax(a), [x], {"axis": axis}, second=True)
    f.add("logSoftmax", name, lambda x, a=axis: x.log_softmax(a), [x], {"axis": axis}, second=True)
big = torch.tensor([[1000.0, 999.0, -1000.0], [0.0, -80.0, 90.0]], dtype=torch.float64)
f.add("softmax", "large", lambda x: x.softmax(-1), [big], {"axis": -1})
f.add("logSoftmax", "large", lambda x: x.log_softmax(-1), [big], {"axis": -1})


def affine(x, *rest, shift, residual):
    rest = list(rest)
    column = lambda t: t.reshape(-1, *[1] * (x.dim() - 2))
    y = x * column(rest.pop(0))
    if shift:
        y = y + column(rest.pop(0))
    return y + rest.pop(0) if residual else y


for name, shape, shift, residual in [
    ("scale", [2, 3, 4], False, False),
    ("shift", [2, 3], True, False),
    ("shift-long", [1, 2, 7, 7], True, False),
    ("all", [2, 3, 2], True, True),
    ("all-long", [2, 2, 49], True, True),
    ("residual-long", [1, 2, 8, 6], False, True),
]:
    ins = [randn(*shape, seed=2), randn(shape[1], seed=3)]
    if shift:
        ins.append(randn(shape[1], seed=4))
    if residual:
        ins.append(randn(*shape, seed=5))
    fn = lambda *t, s=shift, r=residual: affine(*t, shift=s, residual=r)
    f.add("channelAffine", name, fn, ins, {"shift": shift, "residual": residual}, second=True)


def statistics(x, axes, eps):
    dims = list(range(x.dim() - axes, x.dim()))
    mean = x.mean(dims, keepdim=True)
    return mean, (x.var(dims, unbiased=False, keepdim=True) + eps).rsqrt()


for name, shape, axes, eps, parts in [
    ("affine", [3, 5], 1, 1e-5, "sb"),
    ("scale", [2, 2, 4], 1, 1e-5, "s"),
    ("plain", [2, 6], 1, 1e-3, ""),
    ("bias", [2, 4], 1, 1e-5, "b"),
    ("two-axes", [2, 3, 4], 2, 1e-12, "sb"),
    ("long-rows", [2, 64], 1, 1e-5, "sb"),
    ("shifted", [2, 5], 1, 1e-5, "sb"),
]:
    x = randn(*shape, seed=6, shift=4.0 if name == "shifted" else 0.0)
    inner = shape[-axes:]
    ins = [x] + ([randn(*inner, seed=7)] if "s" in parts else []) + ([randn(*inner, seed=8)] if "b" in parts else [])

    def layer(x, *p, parts=parts, inner=inner, axes=axes, eps=eps):
        p = list(p)
        scale = p.pop(0) if "s" in parts else torch.ones(inner, dtype=x.dtype)
        bias = p.pop(0) if "b" in parts else torch.zeros(inner, dtype=x.dtype)
        # Its second derivative fails in PyTorch when a parameter is absent.
        return F.layer_norm(x, inner, scale, bias, eps)

    args = {"axes": axes, "epsilon": eps, "scale": "s" in parts, "bias": "b" in parts}
    f.add("layerNorm", name, layer, ins, args, second=True)
    if "s" in parts and "b" not in parts or name in ("plain", "long-rows", "two-axes"):
        rms = lambda x, *p, inner=inner, eps=eps: F.rms_norm(x, inner, p[0] if p else None, eps)
        some = ins[:2] if "s" in parts else ins[:1]
        f.add("rmsNorm", name, rms, some, {**args, "bias": False}, second=True)
    if name in ("affine", "two-axes", "long-rows"):
        stats = lambda x, *p, axes=axes, eps=eps, layer=layer: (layer(x, *p), *statistics(x, axes, eps))
        f.add("layerNormWithStatistics", name, stats, ins, args, second=True)

for name, shape, groups, affine_on in [
    ("two-groups", [2, 4, 3], 2, True),
    ("maps", [2, 4, 3, 2], 2, True),
    ("one-group", [2, 3, 5], 1, True),
    ("no-space", [2, 6], 2, True),
    ("plain-long", [1, 2, 7, 7], 2, False),
]:
    ins = [randn(*shape, seed=9)] + ([randn(shape[1], seed=10), randn(shape[1], seed=11)] if affine_on else [])
    group = lambda x, *p, g=groups: F.group_norm(x, g, *p)
    f.add("groupNorm", name, group, ins, {"groups": groups}, second=True)
    if len(shape) > 2:
        instance = lambda x, *p: F.instance_norm(x, weight=p[0] if p else None, bias=p[1] if p else None)
        f.add("instanceNorm", name, instance, ins, {}, second=True)


def batch(x, scale, bias, eps=1e-5):
    axes = [0] + list(range(2, x.dim()))
    y = F.batch_norm(x, None, None, scale, bias, training=True, eps=eps)
    return y, x.mean(axes), x.var(axes, unbiased=True)


for name, shape in [("maps", [2, 3, 2, 3]), ("vectors", [5, 2]), ("signal", [3, 2, 4]), ("long", [2, 2, 7, 7])]:
    ins = [randn(*shape, seed=12, shift=0.5), randn(shape[1], seed=13), randn(shape[1], seed=14)]
    f.add("batchNorm", name, batch, ins, second=True)
    stats = [randn(shape[1], seed=15), uniform(shape[1], low=0.3, high=2, seed=16)]
    running = lambda x, s, b, m, v: F.batch_norm(x, m, v, s, b, training=False)
    # The running statistics are state, not parameters: PyTorch gives them no gradient either.
    f.add("batchNormRunning", name, lambda x, s, b, st=stats: running(x, s, b, *st), ins, {"mean": stats[0].tolist(), "variance": stats[1].tolist()}, second=True)
f.write()
