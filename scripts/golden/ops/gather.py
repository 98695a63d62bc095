"""Golden files of indexing. Run: python scripts/golden/ops/gather.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
import torch.nn.functional as F
from common import Family, randn

f = Family()
i64 = torch.int64


def ids(*values, dtype=i64):
    return torch.tensor(values, dtype=dtype)


def gather(x, i, axis):
    i = i.long() % x.shape[axis]
    y = x.index_select(axis, i.reshape(-1))
    return y.reshape(*x.shape[:axis], *i.shape, *x.shape[axis + 1 :])


for name, shape, index, axis in [
    ("rows", [4, 3], ids(2, 0, 2), 0),
    ("columns-matrix", [2, 5], torch.tensor([[1, -1], [0, 4]]), 1),
    ("middle", [2, 3, 2], ids(2, 2, -3, 1), 1),
    ("scalar", [3, 2], torch.tensor(1), 0),
    ("int32", [3, 4], ids(0, 3, 3, dtype=torch.int32), 1),
    ("vector", [6], ids(5, 5, -6), 0),
]:
    f.add("gather", name, lambda x, i, a=axis: gather(x, i, a), [randn(*shape, seed=1), index], {"axis": axis}, second=True)


def index_add(i, u, size, axis):
    i = i.long() % size
    shape = list(u.shape)
    flat = u.reshape(*shape[:axis], -1, *shape[axis + i.dim() :])
    zeros = torch.zeros(*shape[:axis], size, *shape[axis + i.dim() :], dtype=u.dtype)
    return zeros.index_add(axis, i.reshape(-1), flat)


for name, index, shape, size, axis in [
    ("rows", ids(1, 0, 1, 1), [4, 3], 3, 0),
    ("columns", ids(2, -1, 0), [2, 3], 3, 1),
    ("matrix", torch.tensor([[0, 3], [3, 3]]), [2, 2, 2, 2], 5, 1),
    ("vocabulary", ids(519, 7, 7, -1), [4, 1], 520, 0),
    ("vocabulary-middle", ids(519, 7, 7, -1), [1, 4, 1], 520, 1),
    ("int32", ids(1, 1, dtype=torch.int32), [2, 2], 2, 0),
]:
    f.add("indexAdd", name, lambda i, u, s=size, a=axis: index_add(i, u, s, a), [index, randn(*shape, seed=2)], {"size": size, "axis": axis}, second=True)

for name, v, d, index in [
    ("sentence", 6, 4, torch.tensor([[1, 5, 1], [0, 0, 2]])),
    ("vocabulary", 520, 1, ids(519, 3, 3)),
    ("one", 3, 2, torch.tensor(2)),
]:
    f.add("embedding", name, lambda t, i: F.embedding(i, t), [randn(v, d, seed=3), index], second=True)


def wrap(i, x, axis):
    return i.long() % x.shape[axis]


for name, shape, index, axis in [
    ("rows", [3, 2], torch.tensor([[2, 0], [2, -1]]), 0),
    ("columns", [2, 4], torch.tensor([[1, 1, -4], [0, 3, 2]]), 1),
    ("shorter", [3, 2, 3], torch.tensor([[[0, 2]], [[1, 1]]]), 2),
]:
    f.add("gatherElements", name, lambda x, i, a=axis: x.gather(a, wrap(i, x, a)), [randn(*shape, seed=4), index], {"axis": axis}, second=True)
    u = randn(*index.shape, seed=5)
    f.add("scatterAdd", name, lambda x, i, u, a=axis: x.scatter_add(a, wrap(i, x, a), u), [randn(*shape, seed=6), index, u], {"axis": axis}, second=True)
for name, shape, index, axis in [
    ("rows", [3, 2], torch.tensor([[2, 0], [0, -1]]), 0),
    ("columns", [2, 4], torch.tensor([[1, -4], [0, 3]]), 1),
    ("one", [3], ids(1), 0),
]:
    u = randn(*index.shape, seed=7)
    f.add("scatterElements", name, lambda x, i, u, a=axis: x.scatter(a, wrap(i, x, a), u), [randn(*shape, seed=8), index, u], {"axis": axis}, second=True)


def gather_nd(x, i, batch):
    if batch:
        return torch.stack([gather_nd(a, b, batch - 1) for a, b in zip(x, i)])
    return x[tuple(i[..., k] for k in range(i.shape[-1]))]


def scatter_nd(x, i, u, accumulate):
    return x.index_put(tuple(i[..., k] for k in range(i.shape[-1])), u, accumulate=accumulate)


for name, shape, index, batch in [
    ("elements", [3, 4], torch.tensor([[0, 1], [2, -1], [0, 1]]), 0),
    ("slices", [3, 2, 2], torch.tensor([[[2], [0]], [[2], [-3]]]), 0),
    ("batched", [2, 3, 2], torch.tensor([[[2], [0]], [[1], [-1]]]), 1),
    ("batched-elements", [2, 2, 3], torch.tensor([[[1, 2], [0, 0]], [[1, -1], [1, 2]]]), 1),
]:
    f.add("gatherND", name, lambda x, i, b=batch: gather_nd(x, i, b), [randn(*shape, seed=9), index], {"batchDims": batch}, second=True)
for name, shape, index, ushape, reduction in [
    ("replace-elements", [3, 4], torch.tensor([[0, 1], [2, -1]]), [2], "none"),
    ("replace-slices", [4, 2, 3], torch.tensor([[3], [-4]]), [2, 2, 3], "none"),
    ("add-elements", [3, 4], torch.tensor([[0, 1], [2, -1], [0, 1]]), [3], "add"),
    ("add-slices", [3, 2, 2], torch.tensor([[[2, 0], [0, 1]], [[2, 0], [-1, 0]]]), [2, 2, 2], "add"),
]:
    f.add("scatterND", name, lambda x, i, u, r=reduction: scatter_nd(x, i, u, r == "add"), [randn(*shape, seed=10), index, randn(*ushape, seed=11)], {"reduction": reduction}, second=True)

for name, shape, index, axis in [
    ("labels", [3, 4], ids(1, 3, 0), -1),
    ("maps", [2, 3, 2, 2], torch.tensor([[[0, 1], [2, 2]], [[1, 1], [0, -1]]]), 1),
    ("vector", [4], torch.tensor(2), 0),
]:
    f.add("pickAlong", name, lambda x, i, a=axis: x.gather(a, wrap(i, x, a).unsqueeze(a)).squeeze(a), [randn(*shape, seed=12), index], {"axis": axis}, second=True)
f.write()
