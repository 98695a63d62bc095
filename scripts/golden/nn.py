"""Golden file of layers: output and gradients of PyTorch's layer with the same weights, the names
and shapes of a network's state_dict, and batch norm over three training steps.
Run: python scripts/golden/nn.py
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import torch
from common import ROOT, randn, tensor
from torch import nn

PATH = ROOT / "test" / "golden" / "nn.json"


def fill(net, seed=1):
    """Weights that single precision holds exactly, none of them a default."""
    net.double()
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(randn(*p.shape, seed=seed + i))
    return net


def layer(name, make, net, x, floating=True):
    net = fill(net)
    x = x.clone()
    if floating:
        x.requires_grad_()
    y = net(x)
    dy = randn(*y.shape, seed=77)
    params = dict(net.named_parameters())
    grads = torch.autograd.grad(y, list(params.values()) + ([x] if floating else []), dy)
    return {
        "name": name,
        "layer": make,
        "weights": {k: tensor(p) for k, p in params.items()},
        "x": tensor(x),
        "y": tensor(y),
        "dy": tensor(dy),
        "grads": {k: tensor(g) for k, g in zip(params, grads)},
        "dx": tensor(grads[-1]) if floating else None,
    }


def layers():
    """`layer`: the class and the arguments of its constructor in our spelling."""
    yield layer("Linear", ["Linear", 3, 4], nn.Linear(3, 4), randn(2, 5, 3, seed=3))
    yield layer("Linear without bias", ["Linear", 3, 2, {"bias": False}], nn.Linear(3, 2, bias=False), randn(4, 3, seed=4))
    yield layer(
        "Conv1d",
        ["Conv1d", 2, 3, 3, {"stride": 2, "padding": 1}],
        nn.Conv1d(2, 3, 3, stride=2, padding=1),
        randn(2, 2, 7, seed=5),
    )
    yield layer(
        "Conv1d in groups, dilated",
        ["Conv1d", 4, 6, 2, {"groups": 2, "dilation": 2, "bias": False}],
        nn.Conv1d(4, 6, 2, groups=2, dilation=2, bias=False),
        randn(2, 4, 5, seed=6),
    )
    yield layer(
        "Conv2d",
        ["Conv2d", 2, 3, 3, {"padding": 1, "bias": False}],
        nn.Conv2d(2, 3, 3, padding=1, bias=False),
        randn(1, 2, 4, 5, seed=7),
    )
    yield layer(
        "Conv2d in groups, kernel not square",
        ["Conv2d", 4, 2, [1, 3], {"groups": 2, "stride": [2, 1], "padding": [0, 1]}],
        nn.Conv2d(4, 2, (1, 3), groups=2, stride=(2, 1), padding=(0, 1)),
        randn(2, 4, 4, 3, seed=8),
    )
    yield layer(
        "ConvTranspose2d",
        ["ConvTranspose2d", 2, 3, 3, {"stride": 2, "padding": 1, "outputPadding": 1}],
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1),
        randn(1, 2, 3, 2, seed=9),
    )
    yield layer(
        "ConvTranspose2d in groups",
        ["ConvTranspose2d", 4, 2, [2, 1], {"groups": 2, "bias": False}],
        nn.ConvTranspose2d(4, 2, (2, 1), groups=2, bias=False),
        randn(2, 4, 2, 2, seed=10),
    )
    yield layer("LayerNorm", ["LayerNorm", 5], nn.LayerNorm(5), randn(2, 3, 5, seed=11))
    yield layer(
        "LayerNorm over two axes",
        ["LayerNorm", [3, 4], {"epsilon": 0.1}],
        nn.LayerNorm([3, 4], eps=0.1),
        randn(2, 3, 4, seed=12),
    )
    yield layer("RmsNorm", ["RmsNorm", 6], nn.RMSNorm(6, eps=1e-6), randn(2, 3, 6, seed=13))
    yield layer("RmsNorm with an epsilon", ["RmsNorm", 6, {"epsilon": 0.1}], nn.RMSNorm(6, eps=0.1), randn(3, 6, seed=14))
    yield layer("GroupNorm", ["GroupNorm", 2, 4], nn.GroupNorm(2, 4), randn(2, 4, 3, 2, seed=15))
    yield layer(
        "GroupNorm of all channels",
        ["GroupNorm", 1, 3, {"epsilon": 0.1}],
        nn.GroupNorm(1, 3, eps=0.1),
        randn(2, 3, 4, seed=16),
    )
    ids = torch.tensor([[1, 4, 1], [0, 1, 2]])
    yield layer("Embedding", ["Embedding", 5, 3], nn.Embedding(5, 3), ids, floating=False)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.downsample = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.GroupNorm(2, channels))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = nn.Embedding(7, 4)
        self.layer1 = nn.Sequential(Block(4), nn.ReLU(), Block(4))
        self.heads = nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 3, bias=False)])
        self.up = nn.ConvTranspose2d(4, 2, 2)
        self.stem = nn.Conv1d(2, 4, 3, groups=2)
        self.norm = nn.LayerNorm(4)
        self.rms = nn.RMSNorm(4)


def state():
    return [[k, list(v.shape)] for k, v in Net().state_dict().items() if not k.endswith("num_batches_tracked")]


LR = 0.5


def batch_norm(by_batch, update, conv):
    """A layer below a batch norm, moved by SGD for three steps on the loss sum(y dy)."""
    torch.manual_seed(0)
    below = fill(nn.Conv1d(2, 3, 2) if conv else nn.Linear(2, 3), seed=21)
    shape = (4, 2, 3) if conv else (6, 2)
    gain, shift = randn(3, seed=31).requires_grad_(), randn(3, seed=32).requires_grad_()
    mean, var = randn(3, seed=33), (randn(3, seed=34) ** 2 + 0.5).float().double()
    params = [below.weight, below.bias, gain, shift]
    start = [tensor(t) for t in [*params, mean, var]]
    steps = []
    for t in range(3):
        x = randn(*shape, scale=2.0, shift=0.5, seed=40 + t)
        h = below(x)
        before = mean.clone(), var.clone()
        if update:  # F.batch_norm in training mode moves the statistics that it is given
            nn.functional.batch_norm(h.detach(), mean, var, training=True, momentum=0.1)
        if by_batch:
            y = nn.functional.batch_norm(h, None, None, gain, shift, training=True)
        else:
            y = nn.functional.batch_norm(h, *before, gain, shift, training=False)
        dy = randn(*y.shape, scale=0.05, seed=50 + t)
        loss = (y * dy).sum()
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g in zip(params, grads):
                p -= LR * g
        steps.append({"x": tensor(x), "dy": tensor(dy), "loss": float(f"{loss.item():.9g}")})
    return {
        "byBatch": by_batch,
        "update": update,
        "conv": conv,
        "start": start,
        "steps": steps,
        "end": [tensor(t) for t in [*params, mean, var]],
        # The evaluation of the last batch with what the training has left behind.
        "evaluated": tensor(nn.functional.batch_norm(below(x), mean, var, gain, shift, training=False)),
    }


def check_modes():
    """The pieces above, put together as PyTorch's own module: both statistics on, in train mode."""
    own = nn.BatchNorm1d(3).double()
    x = randn(6, 3, seed=1)
    mean, var = torch.zeros(3).double(), torch.ones(3).double()
    y = own(x)
    nn.functional.batch_norm(x, mean, var, training=True, momentum=0.1)
    assert torch.equal(own.running_mean, mean) and torch.equal(own.running_var, var)
    assert torch.allclose(y, nn.functional.batch_norm(x, None, None, training=True))


check_modes()
body = {
    "layers": list(layers()),
    "state": state(),
    "batchNorm": [
        batch_norm(b, u, c)
        for b, u, c in [(True, True, False), (True, True, True), (False, True, True), (True, False, False), (False, False, True)]
    ],
}
lines = []
for key, value in body.items():
    rows = ",\n".join(json.dumps(v, separators=(",", ":")) for v in value)
    lines.append(f'"{key}":[\n{rows}\n]')
PATH.write_text("{" + ",\n".join(lines) + "}\n")
print(f"{PATH.relative_to(ROOT)}: {PATH.stat().st_size} bytes")
