"""Golden files of attention. Run: python scripts/golden/ops/attention.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from common import Family, randn

f = Family()


def attention(heads, scale):
    def fn(q, k, v, bias=None):
        def split(x):
            return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)

        scores = split(q) @ split(k).transpose(2, 3) * scale
        if bias is not None:
            scores = scores + bias
        y = scores.softmax(-1) @ split(v)
        return y.transpose(1, 2).reshape(q.shape[0], q.shape[1], -1)

    return fn


for name, heads, q, k, v, bias in [
    ("no-bias", 2, [2, 3, 4], [2, 5, 4], [2, 5, 6], None),
    ("keys", 2, [2, 3, 4], [2, 5, 4], [2, 5, 4], [2, 1, 1, 5]),
    ("queries-and-keys", 1, [1, 4, 3], [1, 4, 3], [1, 4, 2], [4, 4]),
    ("heads", 3, [2, 2, 6], [2, 3, 6], [2, 3, 3], [1, 3, 2, 3]),
    ("whole", 2, [2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2, 2]),
]:
    inputs = [randn(*shape, seed=50 + i) for i, shape in enumerate([q, k, v])]
    if bias is not None:
        inputs.append(randn(*bias, seed=54))
    args = {"heads": heads, "scale": 0.7}
    f.add("fusedAttention", name, attention(**args), inputs, args, second=True)
f.write()
