"""Checks an exported folder with other people's loaders: python scripts/golden/check_export.py FOLDER...

ONNX's checker and ONNX Runtime run the ONNX model at several batches; transformers, timm or
torchvision load the weights without a missing or unexpected tensor; and all give the same logits
for one and the same pixels. Prints a line a check, and ends with 1 if one fails.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image
from safetensors.torch import load_file

LIMIT = 1e-4
failed = 0


def say(ok, what):
    global failed
    failed += not ok
    print(f"  {'ok  ' if ok else 'FAIL'} {what}")


def check_onnx(path):
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    domains = {n.domain for n in model.graph.node} | {o.domain for o in model.opset_import}
    opset = max(o.version for o in model.opset_import if o.domain == "")
    say(domains <= {""}, f"onnx.checker, operators of the standard only, opset {opset}, IR {model.ir_version}")
    meta = {p.key: p.value for p in model.metadata_props}
    labels = json.loads(meta["labels"])
    say("preprocessing" in meta, f"metadata: {', '.join(sorted(meta))}; {len(labels)} labels; producer {model.producer_name}")
    session = onnxruntime.InferenceSession(str(path))
    (x,), (y,) = session.get_inputs(), session.get_outputs()
    say(
        x.name == "pixel_values" and x.shape[0] == "batch" and y.name == "logits" and y.shape == ["batch", len(labels)],
        f"{x.name} {x.shape} -> {y.name} {y.shape}",
    )
    return session, x.shape[1:]


def transformers_logits(folder):
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    model, info = AutoModelForImageClassification.from_pretrained(folder, output_loading_info=True)
    problems = {k: v for k, v in info.items() if v}
    say(not problems, f"transformers: {type(model).__name__}, missing, unexpected and misshapen tensors: {problems or 'none'}")
    processor = AutoImageProcessor.from_pretrained(folder)
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 70, 3), dtype=np.uint8))
    pixels = processor(picture, return_tensors="pt")["pixel_values"]
    model.eval()
    return (lambda x: model(x).logits), tuple(pixels.shape), type(processor).__name__


def timm_logits(folder):
    import timm

    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    own = {k for k in model.state_dict()}
    given = set(load_file(folder / "model.safetensors"))
    say(own == given, f"timm: {type(model).__name__}, tensors that differ in name: {sorted(own ^ given) or 'none'}")
    return model


def torchvision_logits(folder, config):
    import torchvision

    state = load_file(folder / "model.safetensors")
    model = getattr(torchvision.models, config["architecture"])(num_classes=config["num_labels"])
    own = model.state_dict()
    say(set(own) == set(state), f"torchvision: tensors that differ in name: {sorted(set(own) ^ set(state)) or 'none'}")
    if any(own[k].shape != state[k].shape for k in own):
        print("  torchvision has this model in another size; its logits were not compared")
        return None
    model.load_state_dict(state)
    return model.eval()


def check(folder):
    print(folder)
    session, shape = check_onnx(folder / "onnx" / "model.onnx")
    config = json.loads((folder / "config.json").read_text())
    peers = {}
    if config.get("architectures") or "pretrained_cfg" in config:
        peers["transformers"], pixels, processor = transformers_logits(folder)
        say(pixels == (1, *shape), f"{processor} makes {pixels} of a picture")
    if "pretrained_cfg" in config:
        peers["timm"] = timm_logits(folder)
    if not peers and "architecture" in config:
        model = torchvision_logits(folder, config)
        peers.update({} if model is None else {"torchvision": model})
    if not peers:
        print("  no other library has this model; only the ONNX model was checked")
    for batch in (1, 3, 7):
        x = np.random.default_rng(batch).standard_normal((batch, *shape), dtype=np.float32)
        (ours,) = session.run(None, {"pixel_values": x})
        say(ours.shape[0] == batch and np.isfinite(ours).all(), f"ONNX Runtime, batch {batch}")
        for name, logits in peers.items():
            with torch.no_grad():
                theirs = logits(torch.from_numpy(x)).numpy()
            scale = max(1.0, float(np.abs(theirs).max()))
            worst = float(np.abs(ours - theirs).max()) / scale
            say(worst < LIMIT, f"{name}, batch {batch}: logits differ by {worst:.1e}, relative to the largest")


for argument in sys.argv[1:]:
    check(pathlib.Path(argument).resolve())
sys.exit(1 if failed else 0)
