"""Golden files of architectures: a tiny random configuration of a reference implementation.

One safetensors file a case in test/golden/models/, float32 (the reference computes in float64).
Tensors are laid end to end in the order of the metadata's `layout`, [[name, shape, "parameter" or
"buffer"], ...] under the names of the library:

    weights        parameters and buffers
    dy             gradient of the logits: the loss is sum(logits * dy)
    eval/logits    and eval/grads: of parameters only
    train/logits   and train/grads, train/buffers: running statistics afterwards, those of `moved`

`train` is left out for models that compute the same in both modes. Other metadata: `modelType`,
`config` (JSON, what config.json would hold), `library`, `input` (JSON: shape and seed of `noise`).
"""

import copy
import json
import pathlib
import zlib

import numpy as np
import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "test" / "golden" / "models"
LIMIT = 100_000


def noise(shape, seed):
    """Numbers of mean 0 and variance 1 that test/support/model-golden.ts makes bit for bit, too."""
    i = np.arange(int(np.prod(shape)), dtype=np.uint32)
    with np.errstate(over="ignore"):
        h = i * np.uint32(0x9E3779B1) + np.uint32(seed)
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
    values = (h.astype(np.float64) / 2**31 - 1) * np.sqrt(3.0)
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def randomize(model, seed=0):
    """Weights that are no default anywhere, at the scale of trained ones."""
    with torch.no_grad():
        for name, t in model.state_dict().items():
            if not t.is_floating_point():
                continue
            r = noise(tuple(t.shape), zlib.crc32(name.encode()) ^ seed).to(t.dtype)
            if name.endswith("running_var"):
                t.copy_(1 + 0.3 * r.clamp(-1.5, 1.5))
            elif t.ndim > 1:
                fan = t[0].numel()
                t.copy_(r * (1.6 / fan) ** 0.5)
            elif name.endswith("weight"):
                t.copy_(1 + 0.2 * r)
            else:
                t.copy_(0.2 * r)
            t.copy_(t.float().to(t.dtype))


def run(model, x, dy, training, forward):
    model.train(training)
    model.zero_grad(set_to_none=True)
    logits = forward(model, x)
    (logits * dy).sum().backward()
    grads = {k: (torch.zeros_like(p) if p.grad is None else p.grad) for k, p in model.named_parameters()}
    return logits, grads


def compute(model, x, dy, modes, forward):
    """Logits and gradients of every mode, and the running statistics that training leaves behind."""
    model = copy.deepcopy(model).to(x.dtype)
    before = {k: v.clone() for k, v in model.named_buffers()}
    out = {}
    for mode in modes:
        logits, grads = run(model, x, dy, mode == "train", forward)
        out[f"{mode}/logits"] = {"": logits}
        out[f"{mode}/grads"] = grads
    if "train" in modes:
        out["train/buffers"] = {
            k: v
            for k, v in model.named_buffers()
            if v.is_floating_point() and not torch.equal(v, before[k])
        }
    return {k: {n: t.detach() for n, t in v.items()} for k, v in out.items()}


def unstable(model, x, dy, want, modes, forward):
    """How far single precision is off, in the tests' tolerances. Far: an activation lies on a kink."""
    got = compute(model, x.float(), dy.float(), modes, forward)
    return max(
        ((got[k][n].double() - ref).abs() / (1e-5 + 1e-3 * ref.abs())).max().item()
        for k, tensors in want.items()
        for n, ref in tensors.items()
        if ref.numel() > 0
    )


def write(
    name,
    model_type,
    config,
    model,
    library,
    size=64,
    batch=2,
    channels=3,
    seed=0,
    train=True,
    forward=lambda model, x: model(x),
    start=randomize,
):
    """Makes test/golden/models/<name>.safetensors. Dropout of every kind in `model` must be 0.

    The first seed from `seed` on is taken with which no parameter lies below dead activations, and
    float32 gives the same gradients as float64.
    """
    model = model.double()
    modes = ["eval", "train"] if train else ["eval"]
    height, width = (size, size) if isinstance(size, int) else size
    shape = [batch, channels, height, width]
    input_seed = zlib.crc32(name.encode()) % 2**31
    x = noise(shape, input_seed).double()
    for seed in range(seed, seed + 500):
        start(model, seed)
        with torch.no_grad():
            logits = forward(model.eval(), x)
        dy = noise(tuple(logits.shape), seed + 99).double()
        # The largest gradient is about 1, so that the absolute tolerance is small beside it.
        grads = compute(model, x, dy, modes, forward)
        largest = max(g.abs().max().item() for m in modes for g in grads[f"{m}/grads"].values())
        if any(not g.any() for m in modes for g in grads[f"{m}/grads"].values()):
            continue
        dy = (dy / largest).float().double()
        want = compute(model, x, dy, modes, forward)
        off = unstable(model, x, dy, want, modes, forward)
        if off < 0.3:
            break
    else:
        raise SystemExit(f"{name}: no seed is stable in float32")
    parameters = dict(model.named_parameters())
    layout = [
        [k, list(v.shape), "parameter" if k in parameters else "buffer"]
        for k, v in model.state_dict().items()
        if v.is_floating_point()
    ]
    state = model.state_dict()
    flat = lambda tensors: torch.cat([t.reshape(-1) for t in tensors] or [torch.zeros(0)])
    out = {"weights": flat(state[k] for k, _, _ in layout), "dy": dy}
    for mode in modes:
        out[f"{mode}/logits"] = want[f"{mode}/logits"][""]
        grads = want[f"{mode}/grads"]
        out[f"{mode}/grads"] = flat(grads[k] for k, _, kind in layout if kind == "parameter")
    moved = want.get("train/buffers", {})
    if moved:
        out["train/buffers"] = flat(moved[k] for k, _, kind in layout if kind == "buffer" and k in moved)
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.safetensors"
    save_file(
        {k: v.detach().float().contiguous().clone() for k, v in out.items()},
        path,
        metadata={
            "modelType": model_type,
            "config": json.dumps(config),
            "library": library,
            "input": json.dumps({"shape": shape, "seed": input_seed}),
            "layout": json.dumps(layout, separators=(",", ":")),
            "moved": json.dumps(sorted(moved)),
        },
    )
    bytes_ = path.stat().st_size
    note = "" if bytes_ < LIMIT else "  TOO LARGE"
    print(f"{path.relative_to(ROOT)}: {bytes_} bytes, seed {seed}, float32 {off:.2f} tolerances off{note}")


def write_transformers(name, model, **options):
    """The same for a transformers model, whose configuration speaks for itself."""
    config = json.loads(model.config.to_json_string(use_diff=False))
    write(
        name,
        model.config.model_type,
        config,
        model,
        "transformers",
        forward=lambda m, x: m(x).logits,
        **options,
    )
