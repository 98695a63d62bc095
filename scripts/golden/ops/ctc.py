"""Golden files of the CTC loss. Run: python scripts/golden/ops/ctc.py

PyTorch's gradient with respect to log probabilities is only right below a log-softmax, so every
case starts from logits.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
import torch.nn.functional as F
from common import Family, randn

f = Family()
cases = [
    # name, (time, batch, classes), targets, input lengths, target lengths, options
    ("lengths", (7, 3, 5), [[1, 2, 3], [4, 4, 9], [2, 0, 0]], [7, 6, 4], [3, 2, 1], {}),
    ("repeats", (8, 2, 3), [[1, 1, 1], [2, 1, 2]], [8, 8], [3, 3], {"reduction": "sum"}),
    ("blank-last", (5, 2, 4), [[0, 1], [2, 2]], [5, 4], [2, 2], {"blank": 3, "reduction": "none"}),
    ("empty-target", (4, 2, 3), [[1, 2], [1, 1]], [4, 3], [0, 1], {"reduction": "none"}),
    ("tight", (3, 2, 4), [[1, 2, 3], [1, 1, 0]], [3, 3], [3, 2], {}),
    ("impossible-zeroed", (4, 2, 3), [[1, 1, 1], [1, 2, 1]], [4, 4], [3, 3], {"zeroInfinity": True}),
    ("one-step", (1, 2, 3), [[1], [2]], [1, 1], [1, 1], {"reduction": "sum"}),
]


def loss(logits, targets, input_lengths, target_lengths, blank=0, zeroInfinity=False, reduction="mean"):
    # PyTorch looks at targets beyond their lengths; what they hold must not matter to us.
    targets = torch.where(torch.arange(targets.shape[1]) < target_lengths[:, None], targets, 1)
    return F.ctc_loss(
        F.log_softmax(logits, -1),
        targets,
        input_lengths,
        target_lengths,
        blank=blank,
        zero_infinity=zeroInfinity,
        reduction=reduction,
    )


for name, shape, targets, input_lengths, target_lengths, options in cases:
    f.add(
        "ctcLoss",
        name,
        lambda x, t, i, l, o=options: loss(x, t, i, l, **o),
        [randn(*shape, seed=80), torch.tensor(targets), torch.tensor(input_lengths), torch.tensor(target_lengths)],
        options,
    )
f.add(
    "ctcLoss",
    "impossible",
    lambda x, t, i, l: loss(x, t, i, l, reduction="none"),
    [randn(4, 2, 3, seed=81), torch.tensor([[1, 1, 1], [1, 2, 1]]), torch.tensor([4, 4]), torch.tensor([3, 3])],
    {"reduction": "none"},
    grads=False,
)


def recursion(logits, targets, input_lengths, target_lengths):
    """The forward recursion itself: PyTorch's own loss cannot be differentiated twice."""
    log_probs = F.log_softmax(logits, -1)
    never = torch.tensor(-1e30, dtype=logits.dtype)
    total = 0
    for n in range(logits.shape[1]):
        path = [0]
        for symbol in targets[n, : target_lengths[n]].tolist():
            path += [symbol, 0]
        alpha = [log_probs[0, n, k] if s < 2 else never for s, k in enumerate(path)]
        for t in range(1, input_lengths[n]):
            old, alpha = alpha, []
            for s, k in enumerate(path):
                into = [old[s]] + ([old[s - 1]] if s else [])
                if s > 1 and k != 0 and k != path[s - 2]:
                    into.append(old[s - 2])
                alpha.append(torch.logsumexp(torch.stack(into), 0) + log_probs[t, n, k])
        total = total - torch.logsumexp(torch.stack(alpha[-2:]), 0)
    return total


f.add(
    "ctcLoss",
    "second-order",
    recursion,
    [randn(5, 2, 4, seed=82), torch.tensor([[1, 1, 3], [2, 3, 0]]), torch.tensor([5, 4]), torch.tensor([3, 2])],
    {"reduction": "sum"},
    second=True,
)
f.write()
