"""Golden file of MAML's meta-gradient: two inner steps of SGD on a small conv net, with
torch.autograd.grad(create_graph=True), against the first-order approximation for contrast.
Run: python scripts/golden/maml.py"""

import json

import torch
import torch.nn.functional as F
from common import ROOT, randn, tensor

SHAPES = {
    "conv.weight": [4, 1, 3, 3],
    "conv.bias": [4],
    "norm.weight": [4],
    "norm.bias": [4],
    "conv2.weight": [5, 4, 3, 3],
    "head.weight": [3, 5],
    "head.bias": [3],
}
LR = 0.4
STEPS = 2


def forward(p, x):
    h = F.conv2d(x, p["conv.weight"], p["conv.bias"], padding=1)
    h = F.batch_norm(h, None, None, p["norm.weight"], p["norm.bias"], training=True)
    h = F.max_pool2d(F.relu(h), 2)
    h = F.gelu(F.conv2d(h, p["conv2.weight"], stride=2, padding=1))
    return F.linear(h.mean((2, 3)), p["head.weight"], p["head.bias"])


def meta_gradient(params, data, create_graph):
    fast = dict(params)
    for _ in range(STEPS):
        loss = F.cross_entropy(forward(fast, data["supportX"]), data["supportY"])
        grads = torch.autograd.grad(loss, list(fast.values()), create_graph=create_graph)
        fast = {k: v - LR * g for (k, v), g in zip(fast.items(), grads)}
    outer = F.cross_entropy(forward(fast, data["queryX"]), data["queryY"])
    return outer, torch.autograd.grad(outer, list(params.values()))


params = {k: randn(*s, scale=0.5, seed=i + 1) for i, (k, s) in enumerate(SHAPES.items())}
params["norm.weight"] = (params["norm.weight"] + 1).float().double()
for p in params.values():
    p.requires_grad_()
data = {
    "supportX": randn(6, 1, 8, 8, seed=20),
    "supportY": torch.tensor([0, 1, 2, 0, 1, 2]),
    "queryX": randn(9, 1, 8, 8, seed=21),
    "queryY": torch.tensor([2, 1, 0] * 3),
}
loss, second = meta_gradient(params, data, True)
_, first = meta_gradient(params, data, False)
golden = {
    "lr": LR,
    "steps": STEPS,
    "data": {k: tensor(v) for k, v in data.items()},
    "parameters": {k: tensor(v) for k, v in params.items()},
    "loss": loss.item(),
    "secondOrder": {k: tensor(g) for k, g in zip(params, second)},
    "firstOrder": {k: tensor(g) for k, g in zip(params, first)},
}
path = ROOT / "test" / "golden" / "maml.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(path.relative_to(ROOT), path.stat().st_size, "bytes")
