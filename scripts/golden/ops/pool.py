"""Golden files of pooling. Run: python scripts/golden/ops/pool.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
import torch.nn.functional as F
from common import Family, randn

f = Family()
ties = torch.tensor([1.0, 3, 3, 0, 3, 3, 2, 2, 0, 2, 2, 1, 1, 1, 1, 1, 0, 0, 3, 3], dtype=torch.float64)

# name, x, kernel, options
for name, x, kernel, o in [
    ("1d", randn(2, 3, 7, seed=1), [3], {"stride": [2], "padding": [1]}),
    ("2x2", randn(2, 2, 4, 6, seed=2), [2, 2], {}),
    ("2x2-odd", randn(1, 2, 5, 7, seed=3), [2, 2], {}),
    ("2x2-ceil", randn(1, 2, 5, 7, seed=3), [2, 2], {"ceilMode": True}),
    ("3x3-stride-2", randn(2, 2, 7, 8, seed=4), [3, 3], {"stride": [2, 2], "padding": [1, 1]}),
    ("3x3-stride-2-ceil", randn(1, 2, 8, 6, seed=5), [3, 3], {"stride": [2, 2], "ceilMode": True}),
    ("3x3-same-size", randn(1, 2, 4, 5, seed=6), [3, 3], {"stride": [1, 1], "padding": [1, 1]}),
    ("oblong", randn(1, 2, 6, 7, seed=7), [3, 2], {"stride": [1, 3], "padding": [1, 0]}),
    ("dilated", randn(1, 2, 8, 7, seed=8), [3, 2], {"stride": [2, 1], "padding": [1, 1], "dilation": [2, 3]}),
    ("gaps", randn(1, 2, 7, 8, seed=9), [2, 2], {"stride": [3, 4]}),
    ("pixel", randn(2, 3, 1, 1, seed=10), [1, 1], {}),
    ("ties", ties.reshape(1, 1, 4, 5), [3, 3], {"stride": [1, 1], "padding": [1, 1]}),
    ("ties-2x2", ties.reshape(1, 1, 4, 5), [2, 2], {}),
]:
    fn = F.max_pool1d if x.dim() == 3 else F.max_pool2d
    stride, pad, dil = o.get("stride", kernel), o.get("padding", 0), o.get("dilation", 1)
    call = lambda x, fn=fn, a=(kernel, stride, pad, dil, o.get("ceilMode", False)): fn(x, *a)
    f.add("maxPool", name, call, [x], {"kernel": kernel, **o}, second=True)
    g = randn(*call(x).shape, seed=20)

    def scatter(x, g, call=call):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(call(x), x, g, create_graph=True)[0]

    def picks(x, v, call=call, shape=g.shape):
        # The transpose of `scatter`: the gradient of <scatter(x, g), v> by g.
        g = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(scatter(x, g), g, v, create_graph=True)[0]

    # x is an integer-like operand here: nothing flows to it, and ties would make differences wrong.
    f.add("maxPoolGrad", name, lambda g, x=x, s=scatter: s(x, g), [g], {"x": x.tolist(), "kernel": kernel, **o}, second=True)
    f.add("maxPoolPick", name, lambda v, x=x, p=picks: p(x, v), [randn(*x.shape, seed=21)], {"x": x.tolist(), "kernel": kernel, **o}, second=True)

for name, x, kernel, o in [
    ("1d", randn(2, 3, 7, seed=1), [3], {"stride": [2], "padding": [1]}),
    ("2x2", randn(2, 2, 4, 6, seed=2), [2, 2], {}),
    ("2x2-odd", randn(1, 2, 5, 7, seed=3), [2, 2], {}),
    ("2x2-ceil", randn(1, 2, 5, 7, seed=3), [2, 2], {"ceilMode": True}),
    ("3x3-stride-2", randn(2, 2, 7, 8, seed=4), [3, 3], {"stride": [2, 2], "padding": [1, 1]}),
    ("exclude-pad", randn(2, 2, 6, 5, seed=5), [3, 3], {"stride": [2, 2], "padding": [1, 1], "countIncludePad": False}),
    ("ceil-exclude-pad", randn(1, 2, 8, 6, seed=6), [3, 3], {"stride": [2, 2], "padding": [1, 1], "ceilMode": True, "countIncludePad": False}),
    ("ceil-include-pad", randn(1, 2, 8, 6, seed=7), [3, 3], {"stride": [2, 2], "padding": [1, 1], "ceilMode": True}),
    ("3x3-same-size", randn(1, 2, 4, 5, seed=8), [3, 3], {"stride": [1, 1], "padding": [1, 1]}),
    ("oblong", randn(1, 2, 6, 7, seed=9), [3, 2], {"stride": [1, 3], "padding": [1, 0]}),
    ("gaps", randn(1, 2, 7, 8, seed=10), [2, 2], {"stride": [3, 4]}),
    ("pixel", randn(2, 3, 1, 1, seed=11), [1, 1], {}),
]:
    fn = F.avg_pool1d if x.dim() == 3 else F.avg_pool2d
    a = (kernel, o.get("stride", kernel), o.get("padding", 0), o.get("ceilMode", False), o.get("countIncludePad", True))
    f.add("avgPool", name, lambda x, fn=fn, a=a: fn(x, *a), [x], {"kernel": kernel, **o}, second=True)

for name, x, size in [
    ("even", randn(2, 2, 4, 6, seed=12), [2, 3]),
    ("one", randn(2, 3, 3, 5, seed=13), [1, 1]),
    ("uneven", randn(2, 2, 5, 7, seed=14), [3, 4]),
    ("larger-than-input", randn(1, 2, 3, 2, seed=15), [5, 3]),
    ("pixel", randn(1, 2, 1, 1, seed=16), [2, 2]),
]:
    f.add("adaptiveAvgPool2d", name, lambda x, s=size: F.adaptive_avg_pool2d(x, s), [x], {"size": size}, second=True)
    f.add("adaptiveMaxPool2d", name, lambda x, s=size: F.adaptive_max_pool2d(x, s), [x], {"size": size}, second=True)
f.add("adaptiveMaxPool2d", "ties", lambda x: F.adaptive_max_pool2d(x, [3, 3]), [ties.reshape(1, 1, 4, 5)], {"size": [3, 3]}, second=True)

for name, x in [
    ("2d", randn(2, 3, 4, 5, seed=17)),
    ("1d", randn(2, 3, 7, seed=18)),
    ("pixel", randn(2, 3, 1, 1, seed=19)),
    ("ties", ties.reshape(1, 1, 4, 5)),
]:
    axes = list(range(2, x.dim()))
    f.add("globalAvgPool", name, lambda x, a=axes: x.mean(a, keepdim=True), [x], second=True)
    f.add("globalMaxPool", name, lambda x: F.max_pool1d(x.flatten(2), x[0, 0].numel()).reshape([*x.shape[:2]] + [1] * (x.dim() - 2)), [x], second=True)
f.write()
