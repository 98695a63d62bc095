"""Golden files of the losses. Run: python scripts/golden/ops/loss.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
import torch.nn.functional as F
from common import Family, randn, uniform

f = Family()


def reduce(losses, weights, reduction):
    if weights is not None:
        losses = losses * weights
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if weights is None:
        return losses.mean()
    mass = weights.expand(losses.shape).sum()
    return losses.sum() / (mass if mass != 0 else 1)


def cross_entropy(x, y, *w, axis=-1, labelSmoothing=0.0, ignoreIndex=None, reduction="mean", classWeights=None):
    cw = None if classWeights is None else torch.tensor(classWeights, dtype=x.dtype)
    x = x.movedim(axis, 1) if x.dim() > 1 else x
    options = {"weight": cw, "label_smoothing": labelSmoothing}
    if ignoreIndex is not None:
        options["ignore_index"] = ignoreIndex
    if not w:
        return F.cross_entropy(x, y.long(), reduction=reduction, **options)
    return reduce(F.cross_entropy(x, y.long(), reduction="none", **options), w[0], reduction)


labels = torch.tensor([2, 0, 1, 2])
tokens = torch.tensor([[0, -100, 3], [-100, 1, 2]])
maps = torch.tensor([[[0, 2, 1]], [[1, 1, 0]]])
cw = [0.5, 2.0, 1.25]
for name, shape, y, args in [
    ("mean", [4, 3], labels, {}),
    ("sum", [4, 3], labels, {"reduction": "sum"}),
    ("none", [4, 3], labels.int(), {"reduction": "none"}),
    ("one-sample", [3], torch.tensor(1), {}),
    ("smoothed", [4, 3], labels, {"labelSmoothing": 0.1}),
    ("tokens", [2, 3, 4], tokens, {"ignoreIndex": -100}),
    ("maps", [2, 3, 1, 3], maps, {"axis": 1}),
    ("classes", [4, 3], labels, {"classWeights": cw}),
    ("classes-maps-smoothed", [2, 3, 1, 3], maps, {"axis": 1, "classWeights": cw, "labelSmoothing": 0.2}),
    ("classes-smoothed-none", [4, 3], labels, {"classWeights": cw, "labelSmoothing": 0.2, "reduction": "none"}),
]:
    fn = lambda x, y, a=args: cross_entropy(x, y, **a)
    f.add("crossEntropy", name, fn, [randn(*shape, seed=1, scale=2), y], args, second=True)
padding = torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.float64)
# The weights are an input without a gradient here: the test feeds them from its arguments.
for name, w, args in [("padded", padding, {}), ("all-padding", padding * 0, {}), ("weighted-sum", padding * 2, {"reduction": "sum"})]:
    fn = lambda x, y, w=w, a=args: cross_entropy(x, y, w, **a)
    f.add("crossEntropy", name, fn, [randn(4, 3, seed=2), labels], {**args, "weights": w.tolist()}, second=True)
big = torch.tensor([[1000.0, -1000.0, 0.0], [90.0, 0.0, 88.0]], dtype=torch.float64)
f.add("crossEntropy", "large", lambda x, y: cross_entropy(x, y), [big, torch.tensor([1, 2])])

p = randn(3, 4, seed=3).softmax(-1).float().double()
f.add("softCrossEntropy", "rows", lambda x, t: F.cross_entropy(x, t), [randn(3, 4, seed=4), p], second=True)
f.add(
    "softCrossEntropy",
    "maps",
    lambda x, t: F.cross_entropy(x, t, reduction="sum"),
    [randn(2, 3, 2, seed=5), randn(2, 3, 2, seed=6).softmax(1).float().double()],
    {"axis": 1, "reduction": "sum"},
    second=True,
)
f.add("softCrossEntropy", "none", lambda x, t: F.cross_entropy(x, t, reduction="none"), [randn(3, 4, seed=7), p], {"reduction": "none"}, second=True)

for name, t, shape in [("plain", 1.0, [3, 4]), ("warm", 2.5, [2, 3]), ("tokens", 4.0, [2, 2, 3])]:
    def kl(s, q, t=t):
        n = s.numel() // s.shape[-1]
        return F.kl_div((s / t).log_softmax(-1), (q / t).log_softmax(-1), reduction="sum", log_target=True) / n * t * t
    f.add("distillation", name, kl, [randn(*shape, seed=8), randn(*shape, seed=9)], {"temperature": t}, second=True)

z = uniform(3, 4, seed=10)
for name, args in [("mean", {}), ("none", {"reduction": "none"}), ("positives", {"positiveWeight": 3.0})]:
    def bce(x, t, a=args):
        pw = torch.tensor(a["positiveWeight"], dtype=x.dtype) if "positiveWeight" in a else None
        return F.binary_cross_entropy_with_logits(x, t, pos_weight=pw, reduction=a.get("reduction", "mean"))
    f.add("binaryCrossEntropy", name, bce, [randn(3, 4, seed=11, scale=3), z], args, second=True)
far = torch.tensor([-500.0, 0.0, 500.0], dtype=torch.float64)
f.add("binaryCrossEntropy", "large", lambda x: F.binary_cross_entropy_with_logits(x, torch.tensor([0.0, 1.0, 1.0]).double(), reduction="none"), [far], {"targets": [0, 1, 1], "reduction": "none"})

a, b = randn(3, 4, seed=12, scale=2), randn(3, 4, seed=13, scale=2)
for name, args in [("mean", {}), ("sum", {"reduction": "sum"}), ("none", {"reduction": "none"})]:
    r = args.get("reduction", "mean")
    f.add("squaredError", name, lambda x, y, r=r: F.mse_loss(x, y, reduction=r), [a, b], args, second=True)
    f.add("absoluteError", name, lambda x, y, r=r: F.l1_loss(x, y, reduction=r), [a, b], args)
    f.add("huber", name, lambda x, y, r=r: F.huber_loss(x, y, reduction=r, delta=0.7), [a, b], {**args, "delta": 0.7})
rows = torch.tensor([[1.0], [0.0], [2.0]], dtype=torch.float64)
f.add("squaredError", "rows", lambda x, y: reduce((x - y) ** 2, rows, "mean"), [a, b], {"weights": [1, 0, 2]})
f.write()
