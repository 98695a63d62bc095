"""Writes test/golden/io/keras: HDF5 files laid out as Keras lays out its weights, and what they hold.

    python scripts/golden/keras_files.py

h5py writes them, as it does for Keras; the layouts are those of keras/src/legacy/saving/
legacy_h5_format.py (Keras 1, 2 and `.h5` of 3) and keras/src/saving/saving_lib.py (Keras 3).
`expected.json` holds, by file, each tensor as type, shape and little-endian bytes (bfloat16 as
float32). Files called `bad-*` must be refused.
"""

import base64
import json
import pathlib
import zipfile

import h5py
import ml_dtypes
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "io" / "keras"
FOLDER.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(11)
expected = {}


def randn(*shape):
    return random.standard_normal(shape).astype("f4")


def expect(file, tensors):
    out = {}
    for name, a in tensors.items():
        if a.dtype == ml_dtypes.bfloat16:
            a = a.astype("f4")
        out[name] = {
            "dtype": str(a.dtype),
            "shape": list(a.shape),
            "bytes": base64.b64encode(np.ascontiguousarray(a).tobytes()).decode(),
        }
    expected[file] = out


def listed(group, layers, chunked=False):
    """Keras 1 and 2: attributes list layers and their weights."""

    def names(target, name, values):
        values = [v.encode() for v in values]
        if chunked:  # what Keras does when a list is longer than 64 KiB
            for i, v in enumerate(values):
                target.attrs[f"{name}{i}"] = [v]
        else:
            target.attrs[name] = values

    names(group, "layer_names", list(layers))
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = b"2.4.0"
    for layer, weights in layers.items():
        g = group.create_group(layer)
        names(g, "weight_names", list(weights))
        for name, value in weights.items():
            g.create_dataset(name, data=value)


def model():
    return {
        "conv1": {"conv1/kernel:0": randn(3, 3, 2, 4), "conv1/bias:0": randn(4)},
        "relu": {},
        # A model in a model: its weights carry the names of its own layers.
        "vgg": {"block1/kernel:0": randn(2, 2), "block2/kernel:0": randn(1, 2)},
        "dense": {"dense/kernel:0": randn(8, 3), "dense/bias:0": randn(3)},
    }


def plain_names(layers):
    out = {}
    for layer, weights in layers.items():
        for name, value in weights.items():
            name = name.removesuffix(":0")
            out[name if name.startswith(f"{layer}/") else f"{layer}/{name}"] = value
    return out


def numbered(file, named):
    """Keras 3: layers numbered by class, weights by position; newer versions add the layer's name."""
    # Eleven weights of one layer: '10' comes after '9', not after '1'.
    layers = {
        "layers/conv2d": ("stem", [randn(3, 3, 1, 2), randn(2)]),
        "layers/conv2d_1": ("body", [randn(1, 1, 2, 2).astype("f2"), np.array([True, False])]),
        "layers/dense": ("many", [randn(1) for _ in range(11)]),
        "layers/functional/layers/dense": ("inner", [randn(2).astype("f8"), np.arange(3)]),
        "layers/bidirectional/forward_layer/cell": ("cell", [randn(2, 2)]),
    }
    tensors = {}
    for path, (name, values) in layers.items():
        g = file.create_group(f"{path}/vars")
        if named:
            g.attrs["name"] = name
        for i, value in enumerate(values):
            g.create_dataset(str(i), data=value)
            parts = [p for p in path.split("/") if p != "layers"]
            if named and path.split("/")[-2] == "layers":
                parts[-1] = name
            tensors["/".join([*parts, str(i)])] = value
    half = randn(3).astype(ml_dtypes.bfloat16)
    d = file.create_dataset("vars/0", data=half)
    d.attrs["dtype"] = "bfloat16"
    tensors["0"] = half
    file.create_dataset("optimizer/vars/0", data=randn(2))
    file.create_dataset("compile_metrics/vars/0", data=randn(2))
    return tensors


layers = model()
with h5py.File(FOLDER / "weights.h5", "w") as f:
    listed(f, layers)
expect("weights.h5", plain_names(layers))

with h5py.File(FOLDER / "chunked-names.h5", "w") as f:
    listed(f, layers, chunked=True)
expect("chunked-names.h5", plain_names(layers))

with h5py.File(FOLDER / "model.h5", "w") as f:
    f.attrs["model_config"] = json.dumps({"class_name": "Functional"})
    f.attrs["keras_version"] = "3.3.0"
    g = f.create_group("model_weights")
    listed(g, layers)
    g.create_group("top_level_model_weights").attrs["weight_names"] = [b"scale:0"]
    g["top_level_model_weights"].create_dataset("scale:0", data=np.float32(2.5))
    f.create_dataset("optimizer_weights/iteration:0", data=np.int64(5))
expect("model.h5", {**plain_names(layers), "scale": np.float32(2.5)})

for name, kwargs, is_named in (
    ("numbered.weights.h5", {}, False),
    ("named.weights.h5", {"libver": "latest"}, True),
):
    with h5py.File(FOLDER / name, "w", **kwargs) as f:
        expect(name, numbered(f, is_named))

# Two layers of one name, and a name that collides with another path: stored paths are kept.
with h5py.File(FOLDER / "same-names.weights.h5", "w") as f:
    for path in ("layers/dense", "layers/dense_1"):
        g = f.create_group(f"{path}/vars")
        g.attrs["name"] = "twin"
        g.create_dataset("0", data=randn(2))
    expect(
        "same-names.weights.h5",
        {f"{p}/0": f[f"layers/{p}/vars/0"][()] for p in ("dense", "dense_1")},
    )

with h5py.File(FOLDER / "compressed.h5", "w") as f:
    value = np.arange(5000, dtype="f4").reshape(50, 100)
    big_endian = np.arange(3, dtype=">f4")
    g = f.create_group("layers/a/vars")
    g.create_dataset("0", data=value, chunks=(7, 13), compression="gzip", shuffle=True)
    g.create_dataset("1", data=big_endian)
    g.create_dataset("2", data=np.zeros((0, 3), "f4"))
    g.create_dataset("3", data=np.arange(4, dtype="u1"))
expect(
    "compressed.h5",
    {"a/0": value, "a/1": big_endian.astype("<f4"), "a/2": np.zeros((0, 3), "f4"), "a/3": np.arange(4, dtype="u1")},
)


def archive(name, method, weights="numbered.weights.h5", inner="model.weights.h5"):
    with zipfile.ZipFile(FOLDER / name, "w", method) as z:
        for entry, data in (
            ("metadata.json", b'{"keras_version": "3.3.0"}'),
            ("config.json", b'{"class_name": "Functional"}'),
            (inner, (FOLDER / weights).read_bytes()),
        ):
            info = zipfile.ZipInfo(entry, (2020, 1, 1, 0, 0, 0))
            info.compress_type = method
            z.writestr(info, data)


archive("model.keras", zipfile.ZIP_STORED)
archive("deflated.keras", zipfile.ZIP_DEFLATED)
expected["model.keras"] = expected["deflated.keras"] = expected["numbered.weights.h5"]
archive("bad-npz.keras", zipfile.ZIP_STORED, inner="model.weights.npz")

# Refused.
with h5py.File(FOLDER / "bad-other-layout.h5", "w") as f:
    f.create_dataset("x", data=randn(2))
with h5py.File(FOLDER / "bad-huge.h5", "w") as f:
    f.create_dataset("layers/a/vars/0", shape=(1 << 40,), dtype="f4", chunks=(1 << 20,))
with h5py.File(FOLDER / "bad-huge-compressed.h5", "w") as f:
    f.create_dataset(
        "layers/a/vars/0", shape=(1 << 40,), dtype="f4", chunks=(1 << 20,), compression="gzip"
    )
with h5py.File(FOLDER / "bad-missing.h5", "w") as f:
    listed(f, layers)
    del f["dense/dense/bias:0"]
with h5py.File(FOLDER / "bad-loop.h5", "w") as f:
    f.create_group("a")["again"] = f["/"]
with h5py.File(FOLDER / "bad-link.h5", "w") as f:
    f.create_group("layers/a/vars")["0"] = h5py.ExternalLink("weights.h5", "conv1/conv1/bias:0")
with h5py.File(FOLDER / "bad-virtual.h5", "w") as f:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("weights.h5", "conv1/conv1/bias:0", shape=(4,))
    f.create_group("layers/a/vars").create_virtual_dataset("0", layout)
with h5py.File(FOLDER / "bad-external.h5", "w") as f:
    # Values in a file beside it: a reader that follows this shows any file as a tensor.
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_external(b"expected.json", 0, 64)
    g = f.create_group("layers/a/vars")
    h5py.h5d.create(g.id, b"0", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((64,)), plist)
with h5py.File(FOLDER / "bad-type.h5", "w") as f:
    f.create_dataset("layers/a/vars/0", data=np.array([1 + 2j]))

(FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
