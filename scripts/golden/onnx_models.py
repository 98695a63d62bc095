"""Writes test/golden/onnx: small networks exported by PyTorch, with values and gradients.

    python scripts/golden/onnx_models.py

Each network is an `.onnx` file beside a JSON file with its inputs, its output, and the gradients of
sum(output * dy) with respect to its floating-point inputs and to all trained parameters. The
exporter writes shapes, constants and loops its own way: that is what the importer must read.
"""

import json
import warnings

import torch
from torch import nn

from common import OUT, number

warnings.filterwarnings("ignore")
FOLDER = OUT.parent / "onnx"


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, 1, 1, groups=4), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 1)
        )
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Hardsigmoid())
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.pool(self.stem(x))
        y = self.block(x)
        y = torch.nn.functional.silu(x + y * self.gate(y))
        return torch.log_softmax(self.head(y.mean((2, 3))), 1)


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(11, 8)
        self.positions = nn.Parameter(torch.randn(6, 8) * 0.3)
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, ids, mask):
        n, t = ids.shape
        x = self.tokens(ids) + self.positions[:t]
        q, k, v = self.qkv(x).view(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-1, -2) / 4**0.5
        scores = scores.masked_fill(mask[:, None, None, :] == 0, -1e4)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, 8)
        x = self.norm1(x + self.out(mixed))
        x = self.norm2(x + self.down(torch.nn.functional.gelu(self.up(x))))
        return x[:, 0].tanh()


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(8, 3, batch_first=True)

    def forward(self, x):
        y, _ = self.lstm(x)
        z, h = self.gru(y)
        return torch.cat([z[:, -1], h[0], y.amax(1)], 1)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(2, 4, 3, 2, 1)
        self.up = nn.ConvTranspose2d(4, 4, 2, 2)
        self.norm = nn.GroupNorm(2, 4)
        self.act = nn.PReLU(4)
        self.last = nn.Conv2d(6, 1, 3, padding=1, padding_mode="reflect")

    def forward(self, x):
        y = self.act(self.norm(self.up(self.down(x))))
        y = torch.cat([y, x], 1)
        y = nn.functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        y = self.last(nn.functional.pad(y, (1, 0, 0, 1)))
        return torch.sigmoid(torch.flip(y, [3])).clamp(0.2, 0.9).square().sum(1)


def stored(t):
    t = t.detach()
    kind = {torch.float32: "float32", torch.int64: "int64"}[t.dtype]
    return {"dtype": kind, "shape": list(t.shape), "data": [number(v) for v in t.flatten().tolist()]}


def write(name, net, inputs, opset, dynamic=None):
    randomize(net).eval()
    names = [f"x{i}" for i in range(len(inputs))]
    torch.onnx.export(
        net, tuple(inputs), str(FOLDER / f"{name}.onnx"), input_names=names, output_names=["y"],
        opset_version=opset, dynamic_axes=dynamic, dynamo=False, do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    floats = [t.requires_grad_() for t in inputs if t.is_floating_point()]
    parameters = dict(net.named_parameters())
    y = net(*inputs)
    dy = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
    grads = torch.autograd.grad(y, floats + list(parameters.values()), dy)
    record = {
        "inputs": {n: stored(t) for n, t in zip(names, inputs)},
        "output": stored(y),
        "dy": stored(dy),
        "inputGrads": [stored(g) for g in grads[: len(floats)]],
        "parameterGrads": {n: stored(g) for n, g in zip(parameters, grads[len(floats) :])},
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


def randomize(net):
    """No weight left as it was born: the exporter merges equal ones (biases of zeros) into one."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn_like(p) * 0.1)
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_(0, 0.3)
                m.running_var.uniform_(0.5, 2)
    return net


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    batch = {"x0": {0: "batch"}}
    for opset in (9, 13, 18):
        write(f"cnn{opset}", Cnn(), [torch.randn(2, 3, 17, 17)], opset, batch)
    ids = torch.tensor([[1, 4, 2, 9, 0], [3, 3, 10, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
    axes = {"x0": {0: "batch", 1: "time"}, "x1": {0: "batch", 1: "time"}}
    for opset in (11, 17):
        write(f"transformer{opset}", Transformer(), [ids, mask], opset, axes)
    for opset in (9, 14):
        write(f"recurrent{opset}", Recurrent(), [torch.randn(2, 5, 3)], opset)
    for opset in (11, 18):
        write(f"decoder{opset}", Decoder(), [torch.randn(1, 2, 8, 8)], opset)


if __name__ == "__main__":
    main()
