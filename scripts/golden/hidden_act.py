"""Writes test/golden/hidden-act.json: values and slopes of the activations that transformers has by name.

python scripts/golden/hidden_act.py

PyTorch computes in float64. `x` avoids the corners of relu6, hardswish and their like, where there is no slope.
"""

import json

import torch
from common import ROOT
from transformers.activations import ACT2FN

#: Those that need a parameter of their own, or that no published text model uses, are left out.
NAMES = [
    "gelu",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_python_tanh",
    "gelu_pytorch_tanh",
    "hardswish",
    "leaky_relu",
    "linear",
    "mish",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
]

x = torch.tensor([-7.5, -3.25, -2.5, -1.5, -0.75, -0.125, 0.25, 0.875, 1.75, 2.5, 3.5, 6.5], dtype=torch.float64)
digits = lambda t: [float(f"{v:.9g}") for v in t.tolist()]
acts = {}
for name in NAMES:
    at = x.clone().requires_grad_()
    y = ACT2FN[name](at)
    (slope,) = torch.autograd.grad(y.sum(), at)
    acts[name] = {"y": digits(y), "slope": digits(slope)}
path = ROOT / "test" / "golden" / "hidden-act.json"
path.write_text(json.dumps({"x": x.tolist(), "acts": acts}, separators=(",", ":")) + "\n")
print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")
