"""Writes test/golden/io/torch and test/golden/io/safetensors: weight files as PyTorch and the
safetensors library write them, and what is in them.

    python scripts/golden/torch_files.py

`expected.json` holds, by file, each tensor as type, shape and little-endian bytes (bfloat16 as
float32). Files called `bad-*` must be refused. `ours.safetensors` is written by the test suite; this
script checks that the safetensors library reads it as the same tensors.
"""

import base64
import collections
import io
import json
import os
import pathlib
import pickle
import warnings
import zipfile

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "io"
TORCH = FOLDER / "torch"
SAFE = FOLDER / "safetensors"
TORCH.mkdir(parents=True, exist_ok=True)
SAFE.mkdir(parents=True, exist_ok=True)

generator = torch.Generator().manual_seed(7)


def randn(*shape):
    return torch.randn(*shape, generator=generator)


def described(tensors):
    """Tensors as JSON; bfloat16 is what it widens to."""
    out = {}
    for name, t in tensors.items():
        t = t.detach().contiguous()
        if t.dtype == torch.bfloat16:
            t = t.float()
        a = t.numpy()
        out[name] = {
            "dtype": str(t.dtype).removeprefix("torch."),
            "shape": list(t.shape),
            "bytes": base64.b64encode(a.tobytes()).decode(),
        }
    return out


def kinds():
    """Every element type, every layout: shared storages, windows, permutations, repeats."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    return collections.OrderedDict(
        base=base,
        window=base[:, 1:, ::2],
        permuted=base.permute(2, 0, 1),
        column=base[1, :, 2],
        transposed_half=randn(4, 3).half().t(),
        transposed_bfloat16=randn(2, 5).bfloat16().t(),
        transposed_long=torch.arange(6).reshape(2, 3).t(),
        repeated=torch.tensor([1.5, -2.0]).expand(3, 2),
        bfloat16=randn(5).bfloat16(),
        half=torch.tensor([65504.0, 6e-8, -0.0, float("inf"), float("nan")]).half(),
        double=randn(3).double(),
        int8=torch.tensor([-128, 127], dtype=torch.int8),
        uint8=torch.tensor([0, 255], dtype=torch.uint8),
        int16=torch.tensor([-32768, 5], dtype=torch.int16),
        int32=torch.tensor([-(2**31), 7], dtype=torch.int32),
        int64=torch.tensor([2**53 + 1, -5]),
        bool=torch.tensor([[True, False], [False, True]]),
        uint16=torch.tensor([1, 65535], dtype=torch.uint16),
        uint32=torch.tensor([2**32 - 1], dtype=torch.uint32),
        uint64=torch.tensor([2**64 - 1], dtype=torch.uint64),
        scalar=torch.tensor(3.5),
        empty=torch.zeros(0, 4),
        parameter=torch.nn.Parameter(randn(2, 2)),
        buffer=torch.nn.Buffer(randn(2)),
    )


def repacked(source, target, change=lambda name, data: data, method=zipfile.ZIP_STORED, skip=()):
    """A checkpoint packed again by another tool, with entries changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for item in old.infolist():
            if not item.filename.endswith(tuple(skip)):
                info = zipfile.ZipInfo(item.filename, (2020, 1, 1, 0, 0, 0))
                info.compress_type = method
                new.writestr(info, change(item.filename, old.read(item)))


class Hostile:
    """What a pickle can do to a reader that runs it."""

    def __reduce__(self):
        return (os.system, ("echo hostile",))


def torch_files():
    expected = {}

    def save(name, value, tensors, **options):
        torch.save(value, TORCH / name, **options)
        expected[name] = described(tensors)

    every = kinds()
    save("zip.pth", every, every)
    save("legacy.pth", every, every, _use_new_zipfile_serialization=False)
    save("protocol-4.pth", every, every, pickle_protocol=4)
    repacked(TORCH / "zip.pth", TORCH / "deflated.pth", method=zipfile.ZIP_DEFLATED)
    expected["deflated.pth"] = expected["zip.pth"]

    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(randn(*p.shape))
    optimizer = torch.optim.Adam(model.parameters())
    model(randn(1, 2, 4, 4)).sum().backward()
    optimizer.step()
    state = {f"module.{k}": v for k, v in model.state_dict().items()}
    training = {
        "epoch": 3,
        "arch": "toynet",
        "best": 0.75,
        "state_dict": state,
        "optimizer": optimizer.state_dict(),
    }
    save("training.pth", training, state)
    save("training-legacy.pth", training, state, _use_new_zipfile_serialization=False)
    nested = {
        "model": {"encoder": {"weight": randn(2)}, "layers": [{"bias": randn(1)}, randn(2)]},
        "seen": {1, 2},
        "size": torch.Size([3, 4]),
    }
    save(
        "nested.pth",
        nested,
        {
            "encoder.weight": nested["model"]["encoder"]["weight"],
            "layers.0.bias": nested["model"]["layers"][0]["bias"],
            "layers.1": nested["model"]["layers"][1],
        },
    )
    alone = randn(3)
    save("tensor.pth", alone, {"tensor": alone})

    # Refused.
    torch.save(model, TORCH / "bad-module.pth")
    program = io.BytesIO()
    torch.jit.save(torch.jit.trace(model.eval(), randn(1, 2, 4, 4)), program)
    # Without its record of who traced it, which names folders of this machine.
    repacked(program, TORCH / "bad-script.pt", skip=(".debug_pkl",))
    torch.save({"weight": randn(2), "x": Hostile()}, TORCH / "bad-hostile.pth")
    torch.save(
        {"weight": randn(2), "x": Hostile()},
        TORCH / "bad-hostile-legacy.pth",
        _use_new_zipfile_serialization=False,
    )
    torch.save({"weight": randn(2), "best": np.float64(0.5)}, TORCH / "bad-numpy.pth")
    torch.save({"weight": randn(2).to(torch.float8_e4m3fn)}, TORCH / "bad-float8.pth")
    torch.save({"weight": torch.complex(randn(2), randn(2))}, TORCH / "bad-complex.pth")
    torch.save({"weight": torch._neg_view(randn(2))}, TORCH / "bad-negative.pth")
    torch.save({"weight": randn(2, 2).to_sparse()}, TORCH / "bad-sparse.pth")
    repacked(
        TORCH / "tensor.pth",
        TORCH / "bad-big-endian.pth",
        lambda name, data: b"big" if name.endswith("byteorder") else data,
    )
    repacked(TORCH / "tensor.pth", TORCH / "bad-no-storage.pth", skip=("data/0",))
    repacked(
        TORCH / "tensor.pth",
        TORCH / "bad-short-storage.pth",
        lambda name, data: data[:-1] if name.endswith("data/0") else data,
    )

    # Shards of pytorch_model.bin, as transformers wrote them before safetensors.
    folder = TORCH / "shards"
    folder.mkdir(exist_ok=True)
    parts = [{"a.weight": randn(2, 2)}, {"b.weight": randn(3), "b.bias": randn(1)}]
    names = [f"pytorch_model-0000{i + 1}-of-00002.bin" for i in range(2)]
    for name, part in zip(names, parts):
        torch.save(part, folder / name)
    index = {
        "metadata": {"total_size": 32},
        "weight_map": {key: name for name, part in zip(names, parts) for key in part},
    }
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")
    expected["shards"] = described({**parts[0], **parts[1]})
    (TORCH / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def pickles():
    """Plain values in every protocol that is read."""
    value = {
        "none": None,
        "yes": True,
        "no": False,
        "numbers": [0, 255, 256, 65536, -1, 2**31 - 1, -(2**31), 2**40, -(2**52), 1.5, -0.25],
        "text": ["", "plain", "käse 🧀", "x" * 300],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "dict": {1: "one", "two": {"three": []}},
        "ordered": collections.OrderedDict([("z", 1), ("a", 2)]),
    }
    value["again"] = value["numbers"]
    plain = json.loads(json.dumps(value))
    out = {
        "value": plain,
        "big": str(2**70),
        "pickles": {
            str(p): base64.b64encode(pickle.dumps(value, protocol=p)).decode() for p in (2, 3, 4, 5)
        },
        "bigPickle": base64.b64encode(pickle.dumps(2**70, protocol=2)).decode(),
        # What a pickle may hold besides, built by protocols 4 and 5.
        "bytes": base64.b64encode(pickle.dumps([b"\x00\xff", bytearray(b"ab")], protocol=5)).decode(),
        "sets": base64.b64encode(pickle.dumps([{1, 2}, frozenset("a")], protocol=4)).decode(),
        "textProtocol": base64.b64encode(pickle.dumps([1], protocol=0)).decode(),
    }
    (TORCH / "pickles.json").write_text(json.dumps(out, indent=1) + "\n")


def safetensors_files():
    tensors = {k: v.detach().contiguous().clone() for k, v in kinds().items()}
    save_file(tensors, SAFE / "python.safetensors", metadata={"format": "pt", "note": "käse"})
    expected = {"python.safetensors": described(tensors)}
    save_file(
        {"weight": randn(4).to(torch.float8_e5m2), "bias": randn(1)}, SAFE / "bad-float8.safetensors"
    )
    try:
        from huggingface_hub import save_torch_state_dict

        folder = SAFE / "shards"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        layers = {f"layer.{i}.weight": randn(4, 4) for i in range(5)}
        save_torch_state_dict(layers, folder, max_shard_size=140)
        expected["shards"] = described(layers)
    except ImportError:
        print("huggingface_hub is missing: shards are not written anew")
        expected["shards"] = json.loads((SAFE / "expected.json").read_text())["shards"]
    (SAFE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")

    ours = SAFE / "ours.safetensors"
    if not ours.exists():
        print("run the tests of safetensors-file.ts with UPDATE_GOLDEN=1, then this script again")
        return
    with safe_open(ours, "pt") as file:
        got = described({k: file.get_tensor(k) for k in file.keys()})
        assert got == expected["python.safetensors"], "ours.safetensors holds other tensors"
        assert file.metadata() == {"format": "pt", "note": "käse"}, file.metadata()
    print("ours.safetensors reads as the same tensors")


torch_files()
pickles()
safetensors_files()
