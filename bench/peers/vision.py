"""PyTorch eager and torchvision: the peer of `npm run bench:vision`.

serving.py says how it is driven; the last argument is a folder of class folders of pictures.
Needs torch and torchvision from PyPI (`pip install torch torchvision`), nothing else.
"""

import json
import sys

import serving

THREADS = 2
BATCH = 16
SIZE = 224
CLASSES = 10
EPOCHS = 10
# One a core, which is a little faster than none.
WORKERS = 2

try:
    import torch
    import torch.nn.functional as F
    import torchvision
    from torch import nn
    from torch.utils.data import ConcatDataset, DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.io import decode_image
    from torchvision.transforms import v2
except ImportError as missing:
    hint = "run: pip install torch torchvision"
    print(json.dumps({"error": f"{missing.name} is not installed for this python; {hint}"}))
    sys.exit(1)

torch.set_num_threads(THREADS)
torch.manual_seed(0)

NORMALIZE = [
    v2.ToDtype(torch.float32, scale=True),
    v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
]
EVALUATION = v2.Compose([v2.Resize(256), v2.CenterCrop(SIZE), *NORMALIZE])
# What Graft's augmentation `default` is.
AUGMENTATION = v2.Compose(
    [
        v2.RandomResizedCrop(SIZE, scale=(0.35, 1)),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(0.2, 0.2, 0.2),
        *NORMALIZE,
    ]
)


def pictures(transform):
    # torchvision's own decoder: 2.6 to 4.6 ms a picture with the transforms, 4.9 to 5.1 with Pillow.
    return ImageFolder(sys.argv[-1], transform, loader=lambda path: decode_image(path, mode="RGB"))


def trunk():
    model = torchvision.models.resnet50()
    model.fc = nn.Identity()
    return model.requires_grad_(False).eval()


def trunk_forward():
    model, x = trunk(), torch.randn(BATCH, 3, SIZE, SIZE)

    def run():
        with torch.no_grad():
            return model(x)

    return run


def fine_tuning():
    """A step of everything but the batch norms, which stay as they are."""
    model = torchvision.models.resnet50(num_classes=CLASSES)
    model.train()
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eval().requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, weight_decay=0.01)

    def step(x, labels):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss.item()

    return step


def full_step():
    step = fine_tuning()
    x, labels = torch.randn(BATCH, 3, SIZE, SIZE), torch.randint(0, CLASSES, (BATCH,))
    return lambda: step(x, labels)


def head_epochs():
    """A linear head on a frozen trunk, which every epoch runs anew."""
    model = trunk()

    def run():
        head = nn.Linear(2048, CLASSES)
        optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=0.01)
        loader = DataLoader(
            pictures(EVALUATION),
            BATCH,
            shuffle=True,
            num_workers=WORKERS,
            persistent_workers=WORKERS > 0,
        )
        for _ in range(EPOCHS):
            for x, labels in loader:
                with torch.no_grad():
                    features = model(x)
                optimizer.zero_grad()
                loss = F.cross_entropy(head(features), labels)
                loss.backward()
                nn.utils.clip_grad_norm_(head.parameters(), 1.0)
                optimizer.step()
                loss.item()

    return run


class FedStep:
    """The step on batches from a loader that is already running."""

    def __init__(self):
        self.step = fine_tuning()
        many = ConcatDataset([pictures(AUGMENTATION)] * 20)
        self.loader = DataLoader(many, BATCH, shuffle=True, num_workers=WORKERS)
        self.batches = None

    def begin(self):
        self.batches = None  # ends the workers before
        self.batches = iter(self.loader)
        self()

    def __call__(self):
        return self.step(*next(self.batches))


ROWS = {
    "ResNet-50 frozen trunk forward": trunk_forward,
    "ResNet-50 full step": full_step,
    "ResNet-50 10 head epochs on 96 pictures": head_epochs,
    "ResNet-50 step fed from JPEG files": FedStep,
}

if __name__ == "__main__":
    serving.main(f"{torch.__version__} + torchvision {torchvision.__version__}", ROWS)
