"""Golden files of the convolutions. Run: python scripts/golden/ops/conv.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
import torch.nn.functional as F
from common import Family, randn

f = Family()


def both(p):
    """[before, after] an axis, from any of the forms that Graft takes."""
    return [[v, v] if isinstance(v, int) else v for v in p]


def conv(x, w, b=None, stride=(1,), padding=((0, 0),), dilation=(1,), groups=1):
    flat = [v for p in reversed(both(padding)) for v in p]
    fn = F.conv1d if x.dim() == 3 else F.conv2d
    return fn(F.pad(x, flat), w, b, stride=stride, dilation=dilation, groups=groups)


# name, x, w, bias?, stride, padding, dilation, groups
cases = [
    ("1d", [2, 3, 7], [4, 3, 3], True, [1], [1], [1], 1),
    ("1d-strided-dilated", [2, 2, 11], [3, 2, 3], False, [3], [[2, 0]], [2], 1),
    ("3x3", [2, 3, 5, 5], [4, 3, 3, 3], True, [1, 1], [1, 1], [1, 1], 1),
    ("3x3-unpadded", [2, 2, 5, 4], [3, 2, 3, 3], False, [1, 1], [0, 0], [1, 1], 1),
    ("1x1", [2, 4, 3, 5], [3, 4, 1, 1], True, [1, 1], [0, 0], [1, 1], 1),
    ("1x1-stride-2", [2, 3, 5, 6], [4, 3, 1, 1], False, [2, 2], [0, 0], [1, 1], 1),
    ("1x1-padded", [1, 2, 3, 3], [2, 2, 1, 1], False, [1, 1], [1, [0, 1]], [1, 1], 1),
    ("stride-2", [2, 3, 7, 7], [2, 3, 3, 3], True, [2, 2], [1, 1], [1, 1], 1),
    ("stride-2-rest", [2, 2, 6, 8], [3, 2, 3, 3], False, [2, 2], [1, 1], [1, 1], 1),
    ("stride-beyond-kernel", [2, 2, 7, 6], [3, 2, 2, 1], False, [3, 2], [0, 0], [1, 1], 1),
    ("stem-7x7", [1, 3, 9, 10], [2, 3, 7, 7], False, [2, 2], [3, 3], [1, 1], 1),
    ("dilated", [2, 2, 7, 8], [2, 2, 3, 3], False, [1, 1], [2, 2], [2, 2], 1),
    ("dilated-strided", [1, 2, 9, 8], [2, 2, 3, 2], False, [2, 3], [2, 1], [2, 3], 1),
    ("asymmetric", [2, 2, 4, 5], [3, 2, 3, 2], True, [1, 2], [[2, 0], [0, 1]], [1, 1], 1),
    ("padding-beyond-kernel", [1, 2, 3, 3], [2, 2, 2, 2], False, [1, 1], [3, 2], [1, 1], 1),
    ("groups", [2, 4, 5, 4], [6, 2, 3, 3], True, [1, 1], [1, 1], [1, 1], 2),
    ("groups-strided", [2, 6, 5, 6], [3, 2, 3, 3], False, [2, 2], [1, 1], [1, 1], 3),
    ("depthwise", [2, 3, 5, 6], [3, 1, 3, 3], True, [1, 1], [1, 1], [1, 1], 3),
    ("depthwise-stride-2", [2, 3, 6, 7], [3, 1, 3, 3], False, [2, 2], [1, 1], [1, 1], 3),
    ("depthwise-multiplied", [2, 2, 4, 5], [4, 1, 3, 3], False, [1, 1], [1, 1], [1, 1], 2),
    ("pixel", [3, 2, 1, 1], [4, 2, 1, 1], True, [1, 1], [0, 0], [1, 1], 1),
    ("pixel-padded", [2, 2, 1, 1], [2, 2, 3, 3], False, [1, 1], [1, 1], [1, 1], 1),
    ("full-size-kernel", [2, 2, 3, 4], [3, 2, 3, 4], False, [1, 1], [0, 0], [1, 1], 1),
]
for name, xs, ws, bias, s, p, d, g in cases:
    x, w = randn(*xs, seed=1), randn(*ws, seed=2, scale=0.5)
    inputs = [x, w] + ([randn(ws[0], seed=3)] if bias else [])
    args = {"stride": s, "padding": p, "dilation": d, "groups": g}
    f.add("conv", name, lambda *t, a=(s, p, d, g): conv(t[0], t[1], t[2] if len(t) > 2 else None, *a), inputs, args, second=True)
    # The two gradients are operations of their own: PyTorch's autograd of the same convolution is
    # their referee, so that a rule that is wrong twice in the same way is still found.
    shape = conv(x, w, None, s, p, d, g).shape
    grad = randn(*shape, seed=4)
    zero_x, zero_w = torch.zeros_like(x), torch.zeros_like(w)

    def input_grad(gy, wt, a=(s, p, d, g), zero=zero_x):
        z = zero.clone().requires_grad_()
        return torch.autograd.grad(conv(z, wt, None, *a), z, gy, create_graph=True)[0]

    def weight_grad(xt, gy, a=(s, p, d, g), zero=zero_w):
        z = zero.clone().requires_grad_()
        return torch.autograd.grad(conv(xt, z, None, *a), z, gy, create_graph=True)[0]

    f.add("convInputGrad", name, input_grad, [grad, w], {**args, "size": xs[2:]}, second=True)
    f.add("convWeightGrad", name, weight_grad, [x, grad], {**args, "kernel": ws[2:]}, second=True)

for name, xs, ws, bias, s, p, extra, d, g in [
    ("1d", [2, 3, 4], [3, 2, 3], True, 2, 1, 1, 1, 1),
    ("2d", [2, 3, 4, 3], [3, 2, 3, 3], True, 2, 1, 1, 1, 1),
    ("2x2-stride-2", [1, 2, 3, 4], [2, 3, 2, 2], False, 2, 0, 0, 1, 1),
    ("4x4-stride-2", [1, 2, 3, 3], [2, 2, 4, 4], True, 2, 1, 0, 1, 1),
    ("stride-3-odd", [2, 2, 3, 2], [2, 2, 2, 3], False, [3, 2], [0, 1], [2, 1], 1, 1),
    ("dilated", [1, 2, 4, 4], [2, 2, 3, 3], False, 1, 2, 0, 2, 1),
    ("groups", [2, 4, 3, 3], [4, 3, 3, 3], True, 2, 1, 0, 1, 2),
    ("pixel", [1, 2, 1, 1], [2, 3, 3, 3], False, 1, 0, 0, 1, 1),
]:
    inputs = [randn(*xs, seed=5), randn(*ws, seed=6, scale=0.5)]
    if bias:
        inputs.append(randn(ws[1] * g, seed=7))
    fn = F.conv_transpose1d if len(xs) == 3 else F.conv_transpose2d
    f.add(
        "convTranspose",
        name,
        lambda x, w, b=None, a=(s, p, extra, g, d), fn=fn: fn(x, w, b, *a),
        inputs,
        {"stride": s, "padding": p, "outputPadding": extra, "dilation": d, "groups": g},
        second=True,
    )
f.write()
