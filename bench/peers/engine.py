"""PyTorch eager beside Graft's engine: the peer of `npm run bench:engine`.

serving.py says how it is driven. Needs torch from PyPI (`pip install torch`), nothing else.
"""

import json
import sys

import serving

THREADS = 2

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    print(json.dumps({"error": "torch is not installed for this python; run: pip install torch"}))
    sys.exit(1)

torch.set_num_threads(THREADS)
torch.manual_seed(0)


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


def forward_backward(function, *inputs):
    """Runs `function`, then gradients of all inputs that ask for one."""
    wanted = [t for t in inputs if t.requires_grad]
    dy = torch.randn_like(function(*inputs))
    return lambda: torch.autograd.grad(function(*inputs), wanted, dy)


# name -> (x, w, stride, padding, groups)
CONVS = {
    "3x3 64ch 56^2": ((16, 64, 56, 56), (64, 64, 3, 3), 1, 1, 1),
    "3x3 256ch 14^2": ((16, 256, 14, 14), (256, 256, 3, 3), 1, 1, 1),
    "7x7/2 3->64 224^2": ((16, 3, 224, 224), (64, 3, 7, 7), 2, 3, 1),
    "depthwise 3x3 144ch 56^2": ((16, 144, 56, 56), (144, 1, 3, 3), 1, 1, 144),
    "1x1 512->512 28^2": ((16, 512, 28, 28), (512, 512, 1, 1), 1, 0, 1),
}


def conv(case, part):
    x_shape, w_shape, stride, padding, groups = CONVS[case]
    x, w = torch.randn(x_shape), torch.randn(w_shape) * 0.05
    if part == "forward":

        def forward():
            with torch.no_grad():
                return F.conv2d(x, w, None, stride, padding, 1, groups)

        return forward
    dy = torch.randn_like(F.conv2d(x, w, None, stride, padding, 1, groups))
    mask = [part == "dX", part == "dW", False]
    backward = torch.ops.aten.convolution_backward
    s, p, d, o = [stride] * 2, [padding] * 2, [1, 1], [0, 0]
    return lambda: backward(dy, x, w, None, s, p, d, False, o, groups, mask)


def matmul():
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    return lambda: a @ b


def batch_norm():
    mean, var = torch.zeros(64), torch.ones(64)
    return forward_backward(
        lambda x, w, b: F.batch_norm(x, mean, var, w, b, training=True),
        leaf(16, 64, 56, 56),
        leaf(64),
        leaf(64),
    )


def embedding_gradient():
    table, ids = leaf(30522, 768), torch.randint(0, 30522, (16, 128))
    dy = torch.randn(16, 128, 768)
    y = F.embedding(ids, table)
    return lambda: torch.autograd.grad(y, [table], dy, retain_graph=True)


def adamw():
    params = [nn.Parameter(torch.randn_like(p) * 0.1) for p in ResNet50(1000).parameters()]
    for p in params:
        p.grad = torch.randn_like(p) * 0.01
    return torch.optim.AdamW(params, lr=1e-3).step


class EncoderLayer(nn.Module):
    """A BERT layer: attention and feed-forward, each followed by add and norm."""

    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width)

    def split(self, t):
        batch, length, width = t.shape
        return t.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        x = self.norm1(x + self.output(mixed))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Encoder(nn.Module):
    def __init__(self, layers=12, width=768, heads=12, hidden=3072, classes=2):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, heads, hidden) for _ in range(layers))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x[:, 0])


class Bottleneck(nn.Module):
    def __init__(self, inside, width, stride):
        super().__init__()
        out = width * 4
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inside != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """The layout of torchvision's resnet50."""

    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        blocks, inside = [], 64
        for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for i in range(count):
                blocks.append(Bottleneck(inside, width, stride if i == 0 else 1))
                inside = width * 4
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(self.blocks(x).mean((2, 3)))


def train_step(model, optimizer, x, labels):
    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def transformer_step():
    model = Encoder()
    labels = torch.randint(0, 2, (16,))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    return train_step(model, optimizer, torch.randn(16, 128, 768), labels)


def resnet_step(frozen_norms):
    model = ResNet50(10)
    if frozen_norms:
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.eval()
                m.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9)
    labels = torch.randint(0, 10, (16,))
    return train_step(model, optimizer, torch.randn(16, 3, 224, 224), labels)


ROWS = {
    "matmul 2048^3": matmul,
    **{
        f"conv {case} {part}": (lambda case=case, part=part: conv(case, part))
        for case in CONVS
        for part in ("forward", "dX", "dW")
    },
    "layer norm 2048x768 fwd+bwd": lambda: forward_backward(
        lambda x, w, b: F.layer_norm(x, (768,), w, b), leaf(2048, 768), leaf(768), leaf(768)
    ),
    "softmax 192x128x128 fwd+bwd": lambda: forward_backward(
        lambda x: F.softmax(x, -1), leaf(192, 128, 128)
    ),
    "gelu 2048x3072 fwd+bwd": lambda: forward_backward(F.gelu, leaf(2048, 3072)),
    "batch norm 16x64x56x56 fwd+bwd": batch_norm,
    "max-pool 3x3/2 16x64x112x112 fwd+bwd": lambda: forward_backward(
        lambda x: F.max_pool2d(x, 3, 2, 1), leaf(16, 64, 112, 112)
    ),
    "embedding gradient 30522x768": embedding_gradient,
    "AdamW 25M parameters": adamw,
    "transformer step": transformer_step,
    "ResNet-50 step": lambda: resnet_step(False),
    "ResNet-50 step, frozen norms": lambda: resnet_step(True),
}


if __name__ == "__main__":
    serving.main(torch.__version__, ROWS)
