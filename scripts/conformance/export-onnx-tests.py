"""Writes the backend node tests that the Python package `onnx` carries into a local folder.

    pip install onnx
    python scripts/conformance/export-onnx-tests.py [.cache/onnx-node-tests]

Each case becomes a folder with `model.onnx` and `case.json`; the latter lists the inputs and the
expected outputs, each a list of tensor files (one for a tensor, any number for a sequence, none for
an absent optional), and the tolerances. `suite.json` beside them says which package made them and
which operators the default domain has at opset 20.
"""

import json
import shutil
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
try:
    import numpy as np
    import onnx
    from onnx import defs, numpy_helper
    from onnx.backend.test.case.node import collect_testcases
except ImportError as error:
    sys.exit(f"{error}. The tests come with the Python package onnx: pip install onnx")


def tensor_proto(value):
    if isinstance(value, onnx.TensorProto):
        return value
    return numpy_helper.from_array(np.asarray(value))


def write_value(folder, stem, value):
    """Returns how the value is stored: its kind and its files."""
    if value is None:
        return {"kind": "optional", "files": []}
    if isinstance(value, list):
        kind, parts = "sequence", value
    else:
        kind, parts = "tensor", [value]
    files = []
    for i, part in enumerate(parts):
        if part is None or isinstance(part, list):
            return {"kind": "nested", "files": []}
        name = f"{stem}_{i}.pb"
        (folder / name).write_bytes(tensor_proto(part).SerializeToString())
        files.append(name)
    return {"kind": kind, "files": files}


def known_at(version):
    newest = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= version:
            best = newest.get(schema.name)
            if best is None or best.since_version < schema.since_version:
                newest[schema.name] = schema
    return sorted(name for name, schema in newest.items() if not schema.deprecated)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".cache/onnx-node-tests")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    cases = collect_testcases(None)
    for case in cases:
        folder = root / case.name
        folder.mkdir()
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        inputs, outputs = case.data_sets[0]
        record = {
            "name": case.name,
            "rtol": case.rtol,
            "atol": case.atol,
            "inputs": [write_value(folder, f"input_{i}", v) for i, v in enumerate(inputs)],
            "outputs": [write_value(folder, f"output_{i}", v) for i, v in enumerate(outputs)],
        }
        (folder / "case.json").write_text(json.dumps(record))
    suite = {"onnx": onnx.__version__, "cases": len(cases), "opset20": known_at(20)}
    (root / "suite.json").write_text(json.dumps(suite))
    print(f"{len(cases)} cases of onnx {onnx.__version__} written to {root}")


if __name__ == "__main__":
    main()
