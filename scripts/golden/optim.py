"""Golden files of the optimizers and schedules. Run: python scripts/golden/optim.py

Ten steps on two small parameters with given gradients, in float64. PyTorch's own optimizers are the
referee; LAMB and Lion, which it lacks, are written out here from the papers, element by element as
printed there (no folded factors), and Adam's and AdamW's printed forms are held against PyTorch's.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import torch
from common import ROOT, number, randn, tensor
from torch.optim import lr_scheduler

OUT = ROOT / "test" / "golden" / "optim"
STEPS = 10
SHOWN = [1, 2, 5, 10]

# The last element of the second parameter never gets a gradient; magnitudes differ by four decades.
START = [randn(2, 3, seed=1), randn(4, seed=2)]
SCALES = [
    torch.tensor([[1.0, 10.0, 0.1], [0.01, 1.0, 0.001]]),
    torch.tensor([1.0, 0.1, 10.0, 0.0]),
]
GRADIENTS = [
    [(randn(*p.shape, seed=100 + 10 * t + i) * s).float().double() for i, (p, s) in enumerate(zip(START, SCALES))]
    for t in range(STEPS)
]


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (b1, b2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                c = b1 * m + (1 - b1) * p.grad
                # A sign that rounding could turn over would test nothing.
                terms = b1 * m.abs() + (1 - b1) * p.grad.abs()
                assert ((terms == 0) | (c.abs() > 1e-4 * terms)).all()
                self.state[p]["m"] = b2 * m + (1 - b2) * p.grad
                p.copy_(p - lr * (torch.sign(c) + decay * p))


class Lamb(torch.optim.Optimizer):
    """You et al. 2020, algorithm 2, with phi(z) = z and bias correction."""

    trust = True

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                s = self.state[p]
                t = s["t"] = s.get("t", 0) + 1
                s["m"] = b1 * s.get("m", torch.zeros_like(p)) + (1 - b1) * p.grad
                s["v"] = b2 * s.get("v", torch.zeros_like(p)) + (1 - b2) * p.grad**2
                m_hat = s["m"] / (1 - b1**t)
                v_hat = s["v"] / (1 - b2**t)
                u = m_hat / (v_hat.sqrt() + group["eps"]) + group["weight_decay"] * p
                ratio = p.norm() / u.norm() if self.trust and p.norm() > 0 and u.norm() > 0 else 1.0
                p.copy_(p - group["lr"] * ratio * u)


class Untrusted(Lamb):
    """LAMB without its trust ratio is AdamW: checks what is written out above against PyTorch."""

    trust = False


def run(make, start=START, gradients=GRADIENTS, clip=None, schedule=None):
    params = [torch.nn.Parameter(p.clone()) for p in start]
    optimizer = make(params)
    scheduler = schedule(optimizer) if schedule else None
    shown, norms = [], []
    for t in range(STEPS):
        for p, g in zip(params, gradients[t]):
            p.grad = g.clone()
        if clip and "norm" in clip:
            norms.append(number(torch.nn.utils.clip_grad_norm_(params, clip["norm"]).item()))
        if clip and "value" in clip:
            torch.nn.utils.clip_grad_value_(params, clip["value"])
        optimizer.step()
        if scheduler:
            scheduler.step()
        if t + 1 in SHOWN:
            shown.append([[number(v) for v in p.detach().reshape(-1).tolist()] for p in params])
    return shown, norms


sgd = lambda **k: lambda p: torch.optim.SGD(p, **k)
adam = lambda **k: lambda p: torch.optim.Adam(p, **k)
adamw = lambda **k: lambda p: torch.optim.AdamW(p, **k)

assert torch.allclose(
    torch.tensor(run(lambda p: Untrusted(p, lr=0.01, eps=1e-8))[0][-1][1]),
    torch.tensor(run(adamw(lr=0.01))[0][-1][1]),
    rtol=1e-8,
)

# (name, our optimizer, our options, PyTorch's, further arguments)
CASES = [
    ("plain", "sgd", dict(lr=0.1), sgd(lr=0.1), {}),
    ("decay", "sgd", dict(lr=0.1, weightDecay=0.05), sgd(lr=0.1, weight_decay=0.05), {}),
    ("momentum", "sgd", dict(lr=0.1, momentum=0.9), sgd(lr=0.1, momentum=0.9), {}),
    (
        "nesterov",
        "sgd",
        dict(lr=0.1, momentum=0.8, nesterov=True, weightDecay=0.05),
        sgd(lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.05),
        {},
    ),
    ("defaults", "adam", dict(lr=0.01), adam(lr=0.01), {}),
    ("l2", "adam", dict(lr=0.01, weightDecay=0.1), adam(lr=0.01, weight_decay=0.1), {}),
    (
        "betas and a large epsilon",
        "adam",
        dict(lr=0.05, betas=[0.5, 0.9], epsilon=0.01),
        adam(lr=0.05, betas=(0.5, 0.9), eps=0.01),
        {},
    ),
    ("no first moment", "adam", dict(lr=0.01, betas=[0, 0.99]), adam(lr=0.01, betas=(0.0, 0.99)), {}),
    ("defaults", "adamW", dict(lr=0.01), adamw(lr=0.01), {}),
    ("no decay", "adamW", dict(lr=0.01, weightDecay=0), adamw(lr=0.01, weight_decay=0.0), {}),
    ("strong decay", "adamW", dict(lr=0.05, weightDecay=0.5), adamw(lr=0.05, weight_decay=0.5), {}),
    ("defaults", "lamb", dict(lr=0.02), lambda p: Lamb(p, lr=0.02), {}),
    (
        "no decay",
        "lamb",
        dict(lr=0.02, betas=[0.8, 0.95], epsilon=0.001, weightDecay=0),
        lambda p: Lamb(p, lr=0.02, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.0),
        {},
    ),
    (
        "a parameter of zeros",
        "lamb",
        dict(lr=0.02),
        lambda p: Lamb(p, lr=0.02),
        dict(start=[START[0], torch.zeros_like(START[1])]),
    ),
    ("defaults", "lion", dict(lr=0.01), lambda p: Lion(p, lr=0.01), {}),
    (
        "decay",
        "lion",
        dict(lr=0.01, betas=[0.95, 0.98], weightDecay=0.3),
        lambda p: Lion(p, lr=0.01, betas=(0.95, 0.98), weight_decay=0.3),
        {},
    ),
    ("clipped by norm", "sgd", dict(lr=0.1, momentum=0.9), sgd(lr=0.1, momentum=0.9), dict(clip=dict(norm=8.0))),
    ("clipped by value", "sgd", dict(lr=0.1), sgd(lr=0.1), dict(clip=dict(value=0.5))),
    (
        "clipped by norm",
        "adam",
        dict(lr=0.01, weightDecay=0.1),
        adam(lr=0.01, weight_decay=0.1),
        dict(clip=dict(norm=2.0)),
    ),
    ("clipped by value", "adamW", dict(lr=0.01), adamw(lr=0.01), dict(clip=dict(value=0.05))),
    (
        "clipped by value, then by norm",
        "sgd",
        dict(lr=0.1),
        sgd(lr=0.1),
        "value first",
    ),
    (
        "one cycle",
        "adamW",
        dict(lr="oneCycle"),
        adamw(lr=0.1),
        dict(schedule=lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=STEPS + 1, cycle_momentum=False)),
    ),
    (
        "steps",
        "sgd",
        dict(lr="steps", momentum=0.9),
        sgd(lr=0.1, momentum=0.9),
        dict(schedule=lambda o: lr_scheduler.StepLR(o, step_size=3, gamma=0.5)),
    ),
]


def optimizers():
    cases = []
    for name, kind, options, make, more in CASES:
        entry = {"name": name, "optimizer": kind, "options": options}
        if more == "value first":
            clip = {"value": 0.5, "norm": 1.0}
            cut = [[g.clamp(-0.5, 0.5) for g in gs] for gs in GRADIENTS]
            shown, norms = run(make, gradients=cut, clip={"norm": 1.0})
            entry["clip"] = clip
        else:
            shown, norms = run(make, **more)
            if "clip" in more:
                entry["clip"] = more["clip"]
        if norms:
            entry["norms"] = norms
        if isinstance(more, dict) and "start" in more:
            entry["start"] = [tensor(p) for p in more["start"]]
        entry["values"] = shown
        cases.append(entry)
    return {
        "parameters": [tensor(p) for p in START],
        "gradients": [[tensor(g) for g in gs] for gs in GRADIENTS],
        "shown": SHOWN,
        "cases": cases,
    }


def rates(make, steps, lr):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    out = []
    for _ in range(steps):
        out.append(number(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return out


def plateau(lr, metrics, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    out = []
    for m in metrics:
        scheduler.step(m)
        out.append(number(optimizer.param_groups[0]["lr"]))
    return out


FALLING = [5, 4, 4.2, 3.9999, 4.1, 4.1, 3, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 2.9, 2.95, 2.95]


def schedules():
    cycle = lambda total, **k: rates(lambda o: lr_scheduler.OneCycleLR(o, total_steps=total, **k), total, 0.5)
    cases = [
        {"schedule": "oneCycleRate", "options": dict(lr=0.5, total=20), "rates": cycle(20, max_lr=0.5)},
        {
            "schedule": "oneCycleRate",
            "options": dict(lr=0.5, total=7, rise=0.45, startDivisor=10, endDivisor=100),
            "rates": cycle(7, max_lr=0.5, pct_start=0.45, div_factor=10, final_div_factor=100),
        },
        {"schedule": "oneCycleRate", "options": dict(lr=0.5, total=3), "rates": cycle(3, max_lr=0.5)},
        {
            "schedule": "stepRate",
            "options": dict(lr=0.3, every=4),
            "rates": rates(lambda o: lr_scheduler.StepLR(o, 4), 14, 0.3),
        },
        {
            "schedule": "stepRate",
            "options": dict(lr=0.3, every=1, factor=0.9),
            "rates": rates(lambda o: lr_scheduler.StepLR(o, 1, 0.9), 8, 0.3),
        },
        {
            "schedule": "cosineRate",
            "options": dict(lr=0.3, total=9),
            "rates": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 9), 10, 0.3),
        },
        {
            "schedule": "cosineRate",
            "options": dict(lr=0.3, total=6, end=0.05),
            "rates": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 6, eta_min=0.05), 7, 0.3),
        },
        {
            "schedule": "linearRate",
            "options": dict(lr=0.3, total=8),
            "rates": rates(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 8), 11, 0.3),
        },
    ]
    nan = float("nan")
    plateaus = []
    for ours, metrics, torchs in [
        (dict(lr=0.1, patience=2), FALLING, dict(patience=2)),
        (dict(lr=0.1, patience=0, factor=0.5, min=0.02), FALLING, dict(patience=0, factor=0.5, min_lr=0.02)),
        (dict(lr=0.1, patience=1, cooldown=3, factor=0.5), FALLING, dict(patience=1, cooldown=3, factor=0.5)),
        (dict(lr=0.1, patience=1, threshold=0.3), FALLING, dict(patience=1, threshold=0.3)),
        (
            dict(lr=0.1, mode="max", patience=1, threshold=0.01),
            [0.5, 0.6, 0.601, 0.602, 0.7, 0.7, 0.7, 0.71, 0.72],
            dict(mode="max", patience=1, threshold=0.01),
        ),
        # A metric that is not a number is no improvement, wherever it comes.
        (dict(lr=0.1, patience=1), [nan, 3, 2, nan, nan, 2.5, 1], dict(patience=1)),
    ]:
        plateaus.append(
            {"options": ours, "metrics": [number(m) for m in metrics], "rates": plateau(0.1, metrics, **torchs)}
        )
    return {"cases": cases, "plateaus": plateaus}


def write(name, body):
    OUT.mkdir(parents=True, exist_ok=True)
    text = []
    for key, value in body.items():
        if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
            lines = ",\n".join(json.dumps(v, separators=(",", ":")) for v in value)
            text.append(f'"{key}":[\n{lines}\n]')
        else:
            text.append(f'"{key}":{json.dumps(value, separators=(",", ":"))}')
    path = OUT / f"{name}.json"
    path.write_text("{" + ",\n".join(text) + "}\n")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


write("optimizers", optimizers())
write("schedules", schedules())
