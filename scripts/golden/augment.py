"""Golden file of picture operations: Pillow and torchvision are the referees.

Pictures are small and stored as base64 of their bytes; parameters are those of our functions.
Run: python scripts/golden/augment.py
"""

import base64
import io
import json
import math
import pathlib
import zlib

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F
from torchvision.transforms.autoaugment import _apply_op

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "data" / "augment.json"
BILINEAR = InterpolationMode.BILINEAR
FILL = [124, 116, 104]


def picture(width, height, seed, low=0, high=255):
    """Slopes, an edge and noise, so that every kind of neighbourhood occurs."""
    r = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x / width, y / height, (x + y) / (width + height)], -1) * 200
    base[(x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = [220, 30, 90]
    a = np.clip(base + r.normal(0, 25, base.shape), 0, 255) / 255
    return Image.fromarray((low + a * (high - low)).round().astype(np.uint8))


def encode(im):
    a = np.asarray(im.convert("RGB"))
    return {
        "width": a.shape[1],
        "height": a.shape[0],
        "data": base64.b64encode(a.tobytes()).decode(),
    }


PICTURES = {
    "plain": picture(20, 15, 1),
    "dull": picture(15, 17, 2, 60, 130),
    "flat": Image.new("RGB", (9, 8), (10, 200, 77)),
    "tiny": picture(2, 3, 3),
    "wide": picture(53, 31, 4),
    "tall": picture(23, 47, 5),
}


def on_tensor(fn, im):
    t = torch.from_numpy(np.asarray(im).copy()).permute(2, 0, 1)
    return Image.fromarray(fn(t).permute(1, 2, 0).numpy())


def colours():
    for name in ("plain", "dull", "flat", "tiny"):
        im = PICTURES[name]
        for f in (0.0, 0.35, 1.0, 1.8):
            yield name, "brightness", [f], F.adjust_brightness(im, f)
            yield name, "contrast", [f], F.adjust_contrast(im, f)
            yield name, "saturation", [f], F.adjust_saturation(im, f)
            yield name, "sharpness", [f], F.adjust_sharpness(im, f)
        for h in (-0.5, -0.13, 0.02, 0.4):
            yield name, "hue", [h], on_tensor(lambda t: F.adjust_hue(t, h), im)
        for bits in (1, 4, 8):
            yield name, "posterize", [bits], F.posterize(im, bits)
        for threshold in (0, 77.5, 128, 255):
            yield name, "solarize", [threshold], F.solarize(im, threshold)
        yield name, "invert", [], F.invert(im)
        yield name, "equalize", [], F.equalize(im)
        yield name, "autocontrast", [], F.autocontrast(im)
        yield name, "flipHorizontal", [], F.hflip(im)
        yield name, "flipVertical", [], F.vflip(im)


def geometry():
    for name in ("plain", "dull"):
        im = PICTURES[name]
        for angle in (-135.0, -17.0, 30.0, 90.0):
            yield name, "rotate", [angle], F.rotate(im, angle, BILINEAR, fill=FILL)
        for angle, translate, shear in (
            (0.0, [3, -2], [0.0, 0.0]),
            (25.0, [0, 0], [10.0, 0.0]),
            (-40.0, [-4, 5], [-12.0, 8.0]),
        ):
            out = F.affine(im, angle, translate, 1.0, shear, BILINEAR, fill=FILL)
            args = {"degrees": angle, "translate": translate, "shear": shear}
            yield name, "affine", [args], out


POLICY = [
    ("ShearX", "shear-x", (-0.3, 0.99)),
    ("ShearY", "shear-y", (-0.99, 0.21)),
    ("TranslateX", "translate-x", (-5.7, 3.0)),
    ("TranslateY", "translate-y", (-2.2, 8.9)),
    ("Rotate", "rotate", (-27.0, 4.5)),
    ("Brightness", "brightness", (-0.9, 0.54)),
    ("Color", "saturation", (-0.9, 0.54)),
    ("Contrast", "contrast", (-0.9, 0.54)),
    ("Sharpness", "sharpness", (-0.9, 0.54)),
    ("Posterize", "posterize", (3.0,)),
    ("Solarize", "solarize", (110.5,)),
    ("AutoContrast", "autocontrast", (0.0,)),
    ("Equalize", "equalize", (0.0,)),
    ("Identity", "identity", (0.0,)),
]


def policy():
    for theirs, ours, magnitudes in POLICY:
        for m in magnitudes:
            yield "plain", f"policy:{ours}", [m], _apply_op(
                PICTURES["plain"], theirs, m, BILINEAR, FILL
            )


RESAMPLE = ("nearest", "bilinear", "bicubic", "lanczos")


def resizing():
    for name in ("wide", "tall"):
        im = PICTURES[name]
        w, h = im.size
        for filter in RESAMPLE:
            mode = InterpolationMode(filter)
            for size in ((7, 5), (24, 31), (w + 5, h + 2), (w, 9)):
                out = im.resize(size, getattr(Image.Resampling, filter.upper()))
                box = {"left": 0, "top": 0, "width": w, "height": h}
                yield name, "resample", [box, {"width": size[0], "height": size[1]}, filter], out
            out = F.resized_crop(im, 4, 3, 17, 13, [12, 14], mode)
            box = {"left": 3, "top": 4, "width": 13, "height": 17}
            yield name, "resample", [box, {"width": 14, "height": 12}, filter], out
        # Resize and CenterCrop, with halves in the offset and with a crop that is larger than what is left.
        for side, height, width in ((16, 13, 13), (17, 14, 12), (12, 15, 15), (20, 20, 30)):
            out = F.center_crop(F.resize(im, side, BILINEAR), [height, width])
            preprocess = {"fit": "crop", "shortSide": side, "height": height, "width": width}
            yield name, "evaluate", [preprocess], out
        out = F.resize(im, [11, 16], BILINEAR)
        yield name, "evaluate", [{"fit": "squash", "height": 11, "width": 16}], out


def files():
    """Whole files, so that the decoder counts too: bytes, preprocessing, and what comes out."""
    im = picture(56, 44, 6)
    preprocess = {"fit": "crop", "shortSide": 36, "height": 32, "width": 32}
    turned = Image.Exif()
    turned[0x112] = 6
    for name, source, kind, options in (
        ("jpeg", im, "JPEG", {"quality": 85}),
        ("progressive jpeg", im, "JPEG", {"quality": 75, "progressive": True}),
        ("grey jpeg", im.convert("L"), "JPEG", {"quality": 90}),
        ("turned jpeg", im, "JPEG", {"quality": 85, "exif": turned}),
        ("png", im, "PNG", {}),
        ("palette png", im.convert("P"), "PNG", {}),
        ("gif", im.convert("P"), "GIF", {}),
        ("bmp", im, "BMP", {}),
        ("palette bmp", im.convert("P"), "BMP", {}),
        ("webp", im, "WEBP", {"quality": 80}),
        ("tiff", im, "TIFF", {"compression": "tiff_lzw"}),
    ):
        f = io.BytesIO()
        source.save(f, kind, **options)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(f.getvalue()))).convert("RGB")
        out = F.center_crop(F.resize(upright, 36, BILINEAR), [32, 32])
        bytes_ = base64.b64encode(f.getvalue()).decode()
        yield {"name": name, "bytes": bytes_, "preprocess": preprocess, "out": encode(out)}


def main():
    cases = []
    for source in (colours, geometry, policy, resizing):
        for name, op, args, out in source():
            args = [a if not isinstance(a, float) or math.isfinite(a) else str(a) for a in args]
            cases.append({"picture": name, "op": op, "args": args, "out": encode(out)})
    pictures = {name: encode(im) for name, im in PICTURES.items()}
    body = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(
        '{"pictures":%s,\n"fill":%s,\n"cases":[\n%s\n],\n"files":[\n%s\n]}\n'
        % (
            json.dumps(pictures, separators=(",", ":")),
            json.dumps(FILL),
            body,
            ",\n".join(json.dumps(c, separators=(",", ":")) for c in files()),
        )
    )
    print(f"{len(cases)} cases, {OUT.stat().st_size} bytes, crc {zlib.crc32(OUT.read_bytes()):08x}")


main()
