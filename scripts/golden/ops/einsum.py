"""Golden files of einsum. Run: python scripts/golden/ops/einsum.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import torch
from common import Family, randn

f = Family()
for name, equation, *shapes in [
    ("matmul", "ij,jk->ik", [2, 3], [3, 4]),
    ("implicit", "kj,ji", [2, 3], [3, 2]),
    ("attention", "bqhd,bkhd->bhqk", [2, 3, 2, 2], [2, 2, 2, 2]),
    ("batched-transposed", "bij,bkj->kbi", [2, 2, 3], [2, 4, 3]),
    ("bilinear", "bn,anm,bm->ba", [2, 3], [2, 3, 2], [2, 2]),
    ("outer", "i,jk->kij", [2], [2, 3]),
    ("hadamard", "ij,ij->ij", [2, 3], [2, 3]),
    ("dot", "bi,bi->b", [2, 3], [2, 3]),
    ("sum", "ijk->j", [2, 3, 2]),
    ("transpose", "ijk->kji", [2, 3, 2]),
    ("trace", "ii->", [3, 3]),
    ("diagonal", "bii->ib", [2, 3, 3]),
    ("cube", "iii->i", [2, 2, 2]),
    ("ellipsis", "...ij,...jk->...ik", [2, 1, 2, 3], [3, 3, 2]),
    ("ellipsis-implicit", "i...,i", [2, 3], [2]),
    ("ellipsis-summed", "...i->i", [2, 2, 3]),
    ("two-summed", "abij,cijb->ca", [2, 2, 3, 2], [2, 3, 2, 2]),
    ("broadcast-one", "bi,bi->bi", [2, 1], [2, 3]),
]:
    xs = [randn(*s, seed=20 + i) for i, s in enumerate(shapes)]
    f.add("einsum", name, lambda *t, e=equation: torch.einsum(e, *t), xs, {"equation": equation}, second=True)
f.write()
