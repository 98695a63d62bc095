"""Golden files of EfficientNet, ConvNeXt, ViT and DeiT: tiny random configurations of transformers,
timm and torchvision in the layout that model_common.py describes, position embeddings of another
picture size, and digests of the names and shapes that published models have.

    python scripts/golden/models_modern.py
"""

import hashlib
import json
import pathlib
import sys
import tempfile
import warnings
from functools import partial

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import timm
import torch
import torchvision
import transformers
from model_common import OUT, noise, write
from safetensors.torch import load_file, save_file
from torch import nn

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
CLASSES = 3


class AsOnDisk(nn.Module):
    """A transformers model whose parameters have the names of its checkpoints: since version 5 the
    modules are called otherwise."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        state = inner.state_dict()
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            for i, t in enumerate(state.values()):
                t.fill_(i)
            inner.save_pretrained(folder)
            saved = {int(t.flatten()[0]): k for k, t in load_file(f"{folder}/model.safetensors").items()}
        self.names = {f"inner.{k}": saved[i] for i, k in enumerate(state)}

    def state_dict(self, **options):
        return {self.names[k]: t for k, t in super().state_dict(**options).items()}

    def named_parameters(self, *args, **options):
        return ((self.names[k], p) for k, p in super().named_parameters(*args, **options))

    def named_buffers(self, *args, **options):
        return ((self.names[k], b) for k, b in super().named_buffers(*args, **options))

    def forward(self, x, **options):
        return self.inner(x, **options).logits


def of_transformers(name, inner, size, resized=None):
    net = AsOnDisk(inner)
    config = json.loads(inner.config.to_json_string(use_diff=False))
    config["architectures"] = [type(inner).__name__]
    batch_norms = any(isinstance(m, nn.BatchNorm2d) for m in inner.modules())
    write(name, inner.config.model_type, config, net, "transformers", size=size, train=batch_norms)
    if resized is None:
        return
    # `write` has left the weights in the model.
    x = noise((2, 3, *resized), 7).double()
    embeddings = inner.base_model.embeddings
    positions = {"before": embeddings.position_embeddings}
    tokens = embeddings.position_embeddings.shape[1] - embeddings.patch_embeddings.num_patches
    patch = inner.config.patch_size
    cells = torch.zeros(1, tokens + resized[0] // patch * (resized[1] // patch), inner.config.hidden_size)
    positions["after"] = embeddings.interpolate_pos_encoding(cells, *resized)
    positions["logits"] = net(x, interpolate_pos_encoding=True)
    path = OUT.parent / f"positions-{name}.safetensors"
    save_file({k: v.detach().float().contiguous() for k, v in positions.items()}, path)
    print(path.name, path.stat().st_size, "bytes")


def of_others(name, model_type, library, config, net, size):
    """`config`: what Hugging Face's file would say of the same network."""
    labels = {str(i): f"LABEL_{i}" for i in range(CLASSES)}
    write(name, model_type, {"id2label": labels, **config}, net, library, size=size, train=False)


def efficientnet():
    config = transformers.EfficientNetConfig(
        width_coefficient=0.0625, depth_coefficient=1.2, depth_divisor=4, image_size=30,
        kernel_sizes=[3, 5, 3], in_channels=[32, 64, 120], out_channels=[64, 120, 190],
        strides=[1, 2, 2], num_block_repeats=[1, 1, 1], expand_ratios=[1, 2, 3],
        depthwise_padding=[2], hidden_dim=80, num_labels=CLASSES, dropout_rate=0.0, drop_connect_rate=0.0,
    )  # fmt: skip
    net = transformers.EfficientNetForImageClassification(config)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            # What 0.99 means to TensorFlow, where the weights come from; transformers has it the other way.
            m.momentum = 0.01
    of_transformers("efficientnet", net, 30)
    repeats = [1, 2, 2, 3, 3, 4, 1]
    kernels, strides = [3, 3, 5, 3, 5, 5, 3], [1, 2, 2, 2, 1, 2, 1]
    common = {
        "kernel_sizes": kernels, "strides": strides, "num_block_repeats": repeats, "depth_coefficient": 1.0,
        "expand_ratios": [1, *[2] * 6], "in_channels": [64, 128, 64, 64, 64, 128, 128], "out_channels": [128, 64, 64, 64, 128, 128, 64],
        "image_size": 64, "dropout_rate": 0.0, "drop_connect_rate": 0.0,
    }  # fmt: skip
    blocks = [
        [f"{'ds' if i == 0 else 'ir'}_r{r}_k{k}_s{s}_e{1 if i == 0 else 2}_c{c // 16}_se0.25"]
        for i, (r, k, s, c) in enumerate(zip(repeats, kernels, strides, common["out_channels"]))
    ]
    net = timm_efficientnet(blocks)
    config = {**common, "width_coefficient": 0.0625, "depth_divisor": 4, "hidden_dim": 80}
    of_others("efficientnet-timm", "efficientnet", "timm", config, net, 64)
    of_torchvision = torchvision.models.efficientnet.MBConvConfig
    # Multiples of 4 channels instead of 8, for a smaller file.
    rounded = torchvision.models.efficientnet._make_divisible
    torchvision.models.efficientnet._make_divisible = lambda c, _, least=None: rounded(c, 4, least)
    settings = [
        of_torchvision(1 if i == 0 else 2, k, s, a, b, r, width_mult=0.0625, depth_mult=1.0)
        for i, (r, k, s, a, b) in enumerate(
            zip(repeats, kernels, strides, common["in_channels"], common["out_channels"])
        )
    ]
    net = torchvision.models.EfficientNet(settings, 0.0, 0.0, num_classes=CLASSES, last_channel=80)
    symmetric = {
        "width_coefficient": 0.0625, "depth_divisor": 4, "hidden_dim": 80, "stem_padding": "symmetric",
        "depthwise_padding": [1, 3, 5, 11], "batch_norm_eps": 1e-5,
    }  # fmt: skip
    torchvision.models.efficientnet._make_divisible = rounded
    of_others("efficientnet-torchvision", "efficientnet", "torchvision", {**common, **symmetric}, net, 64)


def timm_efficientnet(blocks):
    builder = timm.models._efficientnet_builder
    return timm.models.EfficientNet(
        builder.decode_arch_def(blocks), num_classes=CLASSES, num_features=80, stem_size=4, fix_stem=True,
        pad_type="same", act_layer=nn.SiLU, round_chs_fn=lambda c: c,
        norm_layer=partial(nn.BatchNorm2d, eps=1e-3),
    )  # fmt: skip


def convnext():
    sizes = {"hidden_sizes": [4, 6, 8, 10], "depths": [1, 2, 1, 1]}
    config = transformers.ConvNextConfig(
        **sizes, patch_size=2, num_labels=CLASSES, layer_scale_init_value=0.5, image_size=32
    )
    of_transformers("convnext", transformers.ConvNextForImageClassification(config), 32)
    others = {**sizes, "patch_size": 4, "layer_norm_eps": 1e-6, "image_size": 64}
    net = timm.models.ConvNeXt(depths=(1, 2, 1, 1), dims=(4, 6, 8, 10), num_classes=CLASSES)
    of_others("convnext-timm", "convnext", "timm", others, net, 64)
    block = torchvision.models.convnext.CNBlockConfig
    net = torchvision.models.ConvNeXt(
        [block(4, 6, 1), block(6, 8, 2), block(8, 10, 1), block(10, None, 1)], num_classes=CLASSES
    )
    of_others("convnext-torchvision", "convnext", "torchvision", others, net, 64)


TRANSFORMER = {
    "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20,
    "image_size": 16, "patch_size": 4, "num_labels": CLASSES,
}  # fmt: skip
# timm and torchvision, which have an epsilon of their own
OTHERS = {**TRANSFORMER, "intermediate_size": 48, "layer_norm_eps": 1e-6}
TIMM = {"img_size": 16, "patch_size": 4, "embed_dim": 12, "depth": 2, "num_heads": 3, "num_classes": CLASSES}


def vit():
    net = transformers.ViTForImageClassification(transformers.ViTConfig(**TRANSFORMER))
    of_transformers("vit", net, 16, resized=(24, 20))
    wide = {**TRANSFORMER, "image_size": [8, 16], "hidden_act": "gelu_new", "qkv_bias": False}
    net = transformers.ViTForImageClassification(transformers.ViTConfig(**wide))
    of_transformers("vit-wide", net, (8, 16))
    of_others("vit-timm", "vit", "timm", OTHERS, timm.models.VisionTransformer(**TIMM), 16)
    net = torchvision.models.VisionTransformer(
        image_size=16, patch_size=4, num_layers=2, num_heads=3, hidden_dim=12, mlp_dim=48, num_classes=CLASSES
    )
    of_others("vit-torchvision", "vit", "torchvision", OTHERS, net, 16)


def deit():
    config = transformers.DeiTConfig(**TRANSFORMER)
    of_transformers("deit", transformers.DeiTForImageClassification(config), 16)
    net = transformers.DeiTForImageClassificationWithTeacher(config)
    of_transformers("deit-teacher", net, 16, resized=(24, 20))
    net = timm.models.deit.VisionTransformerDistilled(**TIMM)
    both = {**OTHERS, "architectures": ["DeiTForImageClassificationWithTeacher"]}
    of_others("deit-timm", "deit", "timm", both, net, 16)


PUBLISHED = {
    "timm": [
        *[f"tf_efficientnet_b{i}" for i in range(8)],
        *[f"efficientnet_b{i}" for i in range(8)],
        *[f"convnext_{s}" for s in ("tiny", "small", "base", "large")],
        *[f"vit_{s}" for s in (
            "tiny_patch16_224", "tiny_patch16_384", "small_patch16_224", "small_patch16_384",
            "small_patch32_224", "base_patch16_224", "base_patch16_384", "base_patch32_224",
            "large_patch16_224", "large_patch32_224",
        )],
        *[f"deit_{s}_patch16_224" for s in ("tiny", "small", "base")],
        "deit_base_patch16_384",
        *[f"deit_{s}_distilled_patch16_224" for s in ("tiny", "small", "base")],
        "deit_base_distilled_patch16_384",
    ],
    "torchvision": [
        *[f"efficientnet_b{i}" for i in range(8)],
        *[f"convnext_{s}" for s in ("tiny", "small", "base", "large")],
        "vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32",
    ],
}  # fmt: skip


def names():
    """Digests of names and shapes of published models, which are too large to keep."""
    make = {"timm": partial(timm.create_model, num_classes=1000), "torchvision": torchvision.models.get_model}
    digests = {}
    for library, models in PUBLISHED.items():
        for model in models:
            with torch.device("meta"):
                state = make[library](model).state_dict()
            lines = sorted(
                f"{k} {list(v.shape)}".replace(" ", "")
                for k, v in state.items()
                if not k.endswith("num_batches_tracked")
            )
            digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
            digests.setdefault(library, {})[model] = {"tensors": len(lines), "sha256": digest}
    path = OUT / "published-modern.json"
    path.write_text(json.dumps(digests, indent=1) + "\n")
    print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    efficientnet()
    convnext()
    vit()
    deit()
    names()
