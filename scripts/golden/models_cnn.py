"""Golden files of the convolutional networks: tiny random configurations of transformers (resnet,
mobilenet_v1, mobilenet_v2), timm (resnet -D) and torchvision (vgg, squeezenet); names, shapes and
sizes of the published ones.
Run: python scripts/golden/models_cnn.py
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import timm
import torch
import torchvision
from model_common import OUT, write, write_transformers
from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn
from torchvision.models.squeezenet import Fire
from torchvision.models.vgg import VGG, make_layers
from transformers import (
    MobileNetV1Config,
    MobileNetV1ForImageClassification,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
)


def resnets():
    basic = ResNetConfig(embedding_size=4, hidden_sizes=[4, 6, 8], depths=[1, 2, 1], layer_type="basic", num_labels=3)
    write_transformers("resnet-basic", ResNetForImageClassification(basic), size=(40, 36))
    bottleneck = ResNetConfig(embedding_size=6, hidden_sizes=[8, 12, 16], depths=[1, 2, 2], num_labels=4)
    write_transformers("resnet-bottleneck", ResNetForImageClassification(bottleneck), size=48)
    v1 = ResNetConfig(
        num_channels=1,
        embedding_size=4,
        hidden_sizes=[8, 12],
        depths=[2, 1],
        downsample_in_first_stage=True,
        downsample_in_bottleneck=True,
        num_labels=3,
    )
    write_transformers("resnet-v1", ResNetForImageClassification(v1), size=33, batch=4, channels=1)
    for name, block, expansion in [("basic", BasicBlock, 1), ("bottleneck", Bottleneck, 4)]:
        channels = [3, 4, 5, 6] if expansion == 1 else [2, 3, 3, 4]
        model = timm.models.ResNet(
            block,
            layers=[1, 2, 1, 1],
            channels=channels,
            stem_width=2,
            stem_type="deep",
            avg_down=True,
            num_classes=3,
        )
        config = {
            "model_type": "resnet",
            "embedding_size": 4,
            "hidden_sizes": [c * expansion for c in channels],
            "depths": [1, 2, 1, 1],
            "layer_type": name,
            "stem_type": "deep",
            "avg_down": True,
            "num_labels": 3,
        }
        # 72 pixels: the last average has a window that is cut off.
        write(f"resnet-d-{name}", "resnet", config, model, "timm", size=72)


def mobilenets():
    for name, options, size in [
        ("tf", dict(tf_padding=True), (98, 93)),
        ("torch", dict(tf_padding=False, num_channels=1), (96, 102)),
    ]:
        config = MobileNetV1Config(
            depth_multiplier=0.03, min_depth=3, classifier_dropout_prob=0.0, num_labels=3, **options
        )
        config.batch_norm_momentum = 0.9997  # what transformers passes
        write_transformers(
            f"mobilenet_v1-{name}",
            MobileNetV1ForImageClassification(config),
            size=size,
            batch=4,
            channels=options.get("num_channels", 3),
        )
    for name, options, size in [
        ("tf", dict(tf_padding=True), (98, 93)),
        (
            "stride8",
            dict(tf_padding=False, output_stride=8, first_layer_is_expansion=False, expand_ratio=2.0),
            48,
        ),
        ("stride16-tf", dict(output_stride=16, expand_ratio=2.0, layer_norm_eps=1e-5), 50),
    ]:
        config = MobileNetV2Config(
            **{
                **dict(
                    depth_multiplier=0.03,
                    depth_divisible_by=2,
                    min_depth=2,
                    expand_ratio=3.0,
                    finegrained_output=False,
                    classifier_dropout_prob=0.0,
                    num_labels=3,
                ),
                **options,
            }
        )
        config.batch_norm_momentum = 0.997  # what transformers passes
        write_transformers(
            f"mobilenet_v2-{name}", MobileNetV2ForImageClassification(config), size=size, batch=4
        )


def vggs():
    for batch_norm in [False, True]:
        layers = [4, "M", 5, 5, "M", 3, "M"]
        model = VGG(make_layers(layers, batch_norm), num_classes=3, dropout=0.0)
        model.classifier = nn.Sequential(
            nn.Linear(3 * 49, 8), nn.ReLU(), nn.Dropout(0), nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0), nn.Linear(8, 3)
        )
        config = {
            "model_type": "vgg",
            "layers": layers,
            "batch_norm": batch_norm,
            "hidden_size": 8,
            "dropout": 0.0,
            "num_labels": 3,
        }
        # 44 pixels leave a map of 5, which the adaptive average stretches to 7.
        name = "vgg-bn" if batch_norm else "vgg"
        write(name, "vgg", config, model, "torchvision", size=44, batch=3, train=batch_norm)


def squeezenets():
    for version, widths in [("1_0", [1, 2, 2, 2, 3, 3, 3, 2]), ("1_1", [2, 2, 1, 2, 3, 2, 2, 3])]:
        model = torchvision.models.SqueezeNet(version, num_classes=5, dropout=0.0)
        rest = list(widths)
        before = 4
        for i, layer in enumerate(model.features):
            if i == 0:
                model.features[0] = nn.Conv2d(3, 4, layer.kernel_size, stride=2)
            elif isinstance(layer, Fire):
                narrow = rest.pop(0)
                model.features[i] = Fire(before, narrow, 4 * narrow, 4 * narrow)
                before = 8 * narrow
        model.classifier[1] = nn.Conv2d(before, 5, 1)
        config = {
            "model_type": "squeezenet",
            "architecture": f"squeezenet{version}",
            "stem_size": 4,
            "squeeze_sizes": widths,
            "dropout": 0.0,
            "num_labels": 5,
        }
        write(f"squeezenet{version}", "squeezenet", config, model, "torchvision", size=(60, 54), train=False)


def sizes():
    """Parameters of published configurations, and names and shapes of the state of some."""
    counts, names = {}, {}

    def add(key, library, make, state):
        with torch.device("meta"):
            model = make()
        counts[key] = sum(p.numel() for p in model.parameters())
        if state:
            names[f"{library}/{key}"] = {k: list(v.shape) for k, v in model.state_dict().items()}

    tv = torchvision.models
    for n in ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet_v2", "squeezenet1_0", "squeezenet1_1"]:
        add(n, "torchvision", getattr(tv, n), n in ["resnet18", "resnet50", "mobilenet_v2", "squeezenet1_0"])
    for depth in [11, 13, 16, 19]:
        for bn in ["", "_bn"]:
            n = f"vgg{depth}{bn}"
            add(n, "torchvision", getattr(tv, n), n in ["vgg16", "vgg11_bn"])
    for n in ["resnet26", *(f"resnet{d}d" for d in [18, 26, 34, 50, 101, 152, 200])]:
        add(n, "timm", lambda: timm.create_model(n), n in ["resnet26", "resnet18d", "resnet50d"])
    for n in ["mobilenetv1_100", "mobilenetv1_125", *(f"mobilenetv2_{m}" for m in ["035", "050", "075", "100", "140"])]:
        add(n, "timm", lambda: timm.create_model(n), n in ["mobilenetv1_125", "mobilenetv2_035", "mobilenetv2_140"])
    add("vgg13_bn", "timm", lambda: timm.create_model("vgg13_bn"), True)
    body = {"parameters": counts, "state": names}
    lines = []
    for key, value in body.items():
        rows = ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in value.items())
        lines.append(f'"{key}":{{\n{rows}\n}}')
    path = OUT / "published-cnn.json"
    path.write_text("{" + ",\n".join(lines) + "}\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


resnets()
mobilenets()
vggs()
squeezenets()
sizes()
