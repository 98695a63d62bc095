"""Logits of real pre-trained models in transformers and torchvision, for pixels that need no file.

Reads the weights from ../shared/data/weights beside the project; writes
test/golden/real-weights.safetensors: for each folder `<name>/logits` [2, classes], in float64 and
stored as float32; metadata `<name>`: JSON with the shape and seed of `noise` in model_common.py.
Run: python scripts/golden/real_weights.py
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import torch
import torchvision
from model_common import ROOT, noise
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageClassification

WEIGHTS = ROOT.parent / "shared" / "data" / "weights"


def squeezenet(folder):
    model = torchvision.models.squeezenet1_1()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval().double()


def transformers(folder):
    # The counters of MobileNet V2's batch norms are stored as [1], which version 5 refuses by default.
    model, info = AutoModelForImageClassification.from_pretrained(
        folder, output_loading_info=True, ignore_mismatched_sizes=True
    )
    problems = [str(k) for v in info.values() for k in v if "num_batches_tracked" not in str(k)]
    assert not problems, problems
    model = model.eval().double()
    return lambda x: model(x).logits


out, metadata = {}, {}
for name, load, size, seed in [
    ("squeezenet1_1", squeezenet, 227, 11),
    ("mobilenet_v2_1.0_224", transformers, 224, 12),
    ("mobilenet_v1_0.25_128", transformers, 128, 13),
]:
    shape = [2, 3, size, size]
    # SqueezeNet's own preprocessing spreads values over about 255.
    scale = 60.0 if name == "squeezenet1_1" else 0.5
    with torch.no_grad():
        logits = load(WEIGHTS / name)(noise(shape, seed).double() * scale)
    print(name, logits.shape, logits.abs().max().item(), logits.argmax(-1).tolist())
    out[f"{name}/logits"] = logits.float().contiguous()
    metadata[name] = json.dumps({"shape": shape, "seed": seed, "scale": scale})
path = ROOT / "test" / "golden" / "real-weights.safetensors"
save_file(out, path, metadata=metadata)
print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")
