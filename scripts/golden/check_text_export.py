"""Checks folders of text models with Python's transformers: python scripts/golden/check_text_export.py FOLDER...

    GRAFT_TEXT_EXPORTS=/tmp/folders npx vitest run test/contract/text-export.test.ts
    GRAFT_TEXT_EXPORTED=/tmp/runs npx vitest run src/run/text/export.test.ts
    python scripts/golden/check_text_export.py /tmp/folders/* /tmp/runs/*

Every folder must load without a missing, an unexpected or a misshapen tensor, and give the answers of the
file `answers` beside the weights, where there is one. What `graft export --to huggingface` writes has ONNX
models: ONNX's checker must pass them, and in ONNX Runtime they must give transformers' answers to texts that
the folder's own tokenizer reads, in batches of several sizes; decoders token by token too. Prints a line a
folder, and ends with 1 if one fails.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
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


def opened(path):
    """A session, once the checker has passed the file and all operators are of the standard."""
    onnx.checker.check_model(str(path), full_check=True)
    proto = onnx.load(str(path), load_external_data=False)
    assert {o.domain for o in proto.opset_import} <= {""}, proto.opset_import
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(session, feeds):
    """Results by name. Keys and values that are not given are those of no tokens."""
    given = {}
    for value in session.get_inputs():
        if value.name in feeds:
            given[value.name] = feeds[value.name]
        else:
            assert value.name.startswith("past_key_values."), value.name
            _, heads, _, size = value.shape
            given[value.name] = np.zeros((len(feeds["input_ids"]), heads, 0, size), np.float32)
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, given)))


def far(ours, theirs):
    """The largest difference, relative to the largest of theirs."""
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.abs(ours - theirs).max()) / max(1.0, float(np.abs(theirs).max()))


def by_steps(session, feeds, theirs, key):
    """A text of which only the first two tokens are read at once."""
    tokens = feeds["input_ids"].shape[1]
    past, worst = {}, 0.0
    for start, end in [(0, 2), *((i, i + 1) for i in range(2, tokens))]:
        now = {**feeds, **past, "input_ids": feeds["input_ids"][:, start:end]}
        if "position_ids" in feeds:
            now["position_ids"] = feeds["position_ids"][:, start:end]
            now["attention_mask"] = feeds["attention_mask"][:, :end]
        results = run(session, now)
        worst = max(worst, far(results[key], theirs[:, start:end]))
        past = {n.replace("present", "past_key_values"): v for n, v in results.items() if n.startswith("present.")}
    return worst


def compare(model, files, texts, tokenizer):
    """How far ONNX Runtime is from transformers on a batch."""
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # A model of pairs is asked for pairs, and its tokenizer must tell the two texts apart.
    typed = "model" in files and "token_type_ids" in {i.name for i in files["model"].get_inputs()}
    pairs = [texts, texts[::-1]] if typed else [texts]
    batch = tokenizer(*pairs, return_tensors="pt", padding=True)
    feeds = {k: v.numpy() for k, v in batch.items()}
    assert not typed or feeds["token_type_ids"].any()
    if "encoder_model" in files:
        target = tokenizer([text[::-1] for text in texts], return_tensors="pt", padding=True).input_ids
        with torch.no_grad():
            theirs = model(**{k: v for k, v in batch.items() if k != "token_type_ids"}, decoder_input_ids=target)
        encoded = run(files["encoder_model"], feeds)["last_hidden_state"]
        decoder = {
            "input_ids": target.numpy(),
            "encoder_hidden_states": encoded,
            "encoder_attention_mask": feeds["attention_mask"],
        }
        session = files["decoder_model_merged"]
        key = "logits" if hasattr(theirs, "logits") else "last_hidden_state"
        whole = far(run(session, decoder)[key], theirs[key])
        return max(whole, by_steps(session, decoder, theirs[key], key))
    session = files["model"]
    known = {k: v for k, v in batch.items() if k in {i.name for i in session.get_inputs()}}
    with torch.no_grad():
        theirs = model(**known)
    if any(i.name == "position_ids" for i in session.get_inputs()):
        tokens = feeds["input_ids"].shape[1]
        feeds["position_ids"] = np.tile(np.arange(tokens), (len(texts), 1))
        whole = far(run(session, feeds)["logits"], theirs.logits)
        return max(whole, by_steps(session, feeds, theirs.logits, "logits"))
    results = run(session, feeds)
    return max(far(value, theirs[name]) for name, value in results.items())


TEXTS = ["the film was lovely today", "ann saw bob", "a dull film, and cold rooms that nobody had ever left"]


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
    if (folder / "onnx").is_dir():
        files = {path.stem: opened(path) for path in sorted((folder / "onnx").glob("*.onnx"))}
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        worst = max(compare(model.eval(), files, texts, tokenizer) for texts in (TEXTS[:1], TEXTS[1:], TEXTS))
        ok = ok and worst < LIMIT
        line += f"; {', '.join(files)} in ONNX Runtime differ by {worst:.1e}"
    failed += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {folder.name}: {line}")
sys.exit(1 if failed else 0)
