"""Checks folders of text models with Python's transformers: python scripts/golden/check_text_export.py FOLDER...

    GRAFT_TEXT_EXPORTS=/tmp/folders npx vitest run test/contract/text-export.test.ts
    python scripts/golden/check_text_export.py /tmp/folders/*

Every folder must load without a missing, an unexpected or a misshapen tensor, and give the answers of the
file `answers` beside the weights, where there is one. Prints a line a folder, and ends with 1 if one fails.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file

LIMIT = 1e-4
# What transformers makes anew for these models: poolers, which nothing of ours reads, and positions that are
# computed (and are in no file of transformers either).
MADE = {
    **dict.fromkeys(("BertModel", "RobertaModel", "XLMRobertaModel"), ".pooler."),
    "MarianModel": ".embed_positions.",
}
transformers.logging.disable_progress_bar()
failed = 0


def answer(model, inputs):
    with torch.no_grad():
        out = model.eval()(**{k: v.long() for k, v in inputs.items()})
    if hasattr(out, "start_logits"):
        return torch.stack([out.start_logits, out.end_logits], -1)
    return out.logits if hasattr(out, "logits") else out.last_hidden_state


for argument in sys.argv[1:]:
    folder = pathlib.Path(argument)
    (name,) = json.loads((folder / "config.json").read_text())["architectures"]
    model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    problems = {k: sorted(map(str, v)) for k, v in info.items() if v}
    if name in MADE and all(MADE[name] in f".{k}" for k in problems.get("missing_keys", [])):
        problems.pop("missing_keys", None)
    line = f"{name}: missing, unexpected and misshapen tensors: {problems or 'none'}"
    ok = not problems
    if (folder / "answers").exists():
        inputs = load_file(folder / "answers")
        ours = inputs.pop("answer")
        theirs = answer(model, inputs)
        scale = max(1.0, theirs.abs().max().item())
        worst = (ours - theirs).abs().max().item() / scale
        ok = ok and ours.shape == theirs.shape and worst < LIMIT
        line += f"; answers differ by {worst:.1e}, relative to the largest"
    failed += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {folder.name}: {line}")
sys.exit(1 if failed else 0)
