"""Writes test/golden/models/onnx-*.onnx: small classifiers as exporters write them, each beside a JSON
file with what PyTorch says of it.

    python scripts/golden/onnx_classifiers.py

    pixels     [batch, channels, height, width], whatever the layout of the file's input
    logits     before any softmax
    pooled     what the classifier reads, [batch, width]
    dy, grads  gradients of sum(pooled * dy) by the file's initializers below the classifier, under
               the names that the exporter gave them
"""

import json
import warnings

import onnx
import torch
from model_common import OUT, noise, randomize
from onnx import numpy_helper
from torch import nn

warnings.filterwarnings("ignore")
CLASSES = 5


class Trunk(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4))
        self.last = nn.Conv2d(4, 6, 3, 1, 1)

    def forward(self, x):
        x = self.pool(self.stem(x))
        return torch.relu(self.last(torch.relu(x + self.block(x))))


class Gemm(nn.Module):
    """Batch norms, a residual, global pooling, dropout, a linear layer: the form of a ResNet."""

    def __init__(self):
        super().__init__()
        self.features = Trunk()
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(6, CLASSES)

    def pooled(self, x):
        return nn.functional.adaptive_avg_pool2d(self.features(x), 1).flatten(1)

    def logits(self, x):
        return self.head(self.drop(self.pooled(x)))

    def forward(self, x):
        return self.logits(x)


class ChannelsLast(Gemm):
    """TensorFlow's layout of pictures, its mean over axes, a product and a sum, a softmax."""

    def forward(self, x):
        y = self.features(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).mean((1, 2))
        return torch.softmax(y @ self.head.weight.T.contiguous() + self.head.bias, -1)


class FixedBatch(Gemm):
    """The batch stands in the file, in the input and in a reshape."""

    def pooled(self, x):
        return nn.functional.max_pool2d(self.features(x), 2).flatten(1)

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(24, CLASSES)

    def forward(self, x):
        y = nn.functional.max_pool2d(self.features(x), 2).reshape(1, -1)
        return torch.softmax(self.head(self.drop(y)), 1)


class ConvHead(Gemm):
    """A 1x1 convolution is the classifier, global pooling comes last: the form of SqueezeNet."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(6, CLASSES, 1)

    def logits(self, x):
        return nn.functional.adaptive_avg_pool2d(torch.relu(self.head(self.drop(self.features(x)))), 1).flatten(1)


class Tokens(nn.Module):
    """A class token, positions, attention: the batch goes through shape arithmetic."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.positions = nn.Parameter(torch.zeros(1, 17, 8))
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.head = nn.Linear(8, CLASSES)

    def pooled(self, x):
        n = x.shape[0]
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(n, -1, -1), x], 1) + self.positions
        q, k, v = self.qkv(self.norm1(x)).reshape(n, 17, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = ((q @ k.transpose(-1, -2)) / 2).softmax(-1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(n, 17, 8))
        return self.norm2(x)[:, 0]

    def logits(self, x):
        return self.head(self.pooled(x))

    def forward(self, x):
        return self.logits(x)


def stored(t):
    return {"shape": list(t.shape), "data": [float(f"{v:.7g}") for v in t.detach().flatten().tolist()]}


def write(name, net, size=16, fixed=False, last=False, folded=False):
    randomize(net, 3)
    net.eval()
    x = noise((2, 3, size, size), 17)
    given = x[:1] if fixed else x
    if last:
        given = given.permute(0, 2, 3, 1).contiguous()
    path = OUT / f"onnx-{name}.onnx"
    torch.onnx.export(
        net, (given,), str(path), input_names=["images"], output_names=["scores"], opset_version=17,
        dynamic_axes=None if fixed else {"images": {0: "batch"}}, dynamo=False, do_constant_folding=folded,
        training=torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE,
    )  # fmt: skip
    model = onnx.load(path)
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, path)
    # In double precision, as what is compared with.
    net.double()
    pooled = net.pooled(x.double())
    dy = noise(tuple(pooled.shape), 5)
    params = dict(net.named_parameters())
    grads = dict(zip(params, torch.autograd.grad((pooled * dy).sum(), params.values(), allow_unused=True)))
    found = {}
    for t in model.graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(t).copy()).double()
        for k, p in params.items():
            if value.ndim == 0 or grads[k] is None:
                continue
            if value.shape == p.shape and torch.equal(value, p):
                found[t.name] = grads[k]
            elif value.ndim == 2 and value.T.shape == p.shape and torch.equal(value.T, p):
                found[t.name] = grads[k].T
    record = {
        "pixels": stored(x),
        "logits": stored(net.logits(x.double())),
        "pooled": stored(pooled),
        "dy": stored(dy),
        "grads": {k: stored(g) for k, g in found.items()},
    }
    text = json.dumps(record, separators=(",", ":")) + "\n"
    path.with_suffix(".json").write_text(text)
    print(f"{path.name}: {path.stat().st_size} bytes, {len(text)} of JSON, {len(found)} gradients")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    write("gemm", Gemm())
    write("folded", Gemm(), folded=True)
    write("channels-last", ChannelsLast(), last=True)
    write("fixed-batch", FixedBatch(), fixed=True)
    write("conv-head", ConvHead())
    write("tokens", Tokens())
