"""Golden files of text architectures: a tiny random configuration of a transformers model with a head.

One safetensors file a case in test/golden/text/, named <model_type>-<head>[-<variant>]; float32 and int32
(transformers computes in float64 here, except where it asks for float32 itself):

    weights   parameters, end to end in the order of the metadata's `layout` [[name, shape], ...]
    grads     gradients of `loss`, in the same order
    in/NAME   inputs: input_ids, attention_mask, ... with padding on the right
    logits    what the head gives; start and end stacked for question answering; hidden states for `base`
    loss      [1], as transformers computes it from the labels:

        metadata `loss`   labels
        hidden            dy [batch, tokens, width]: the loss is sum(hidden * dy); zero at padding
        single            labels int32 [batch]
        multi             labels float32 [batch, classes]: binary cross entropy
        regression        labels float32 [batch, classes]: squared error
        tokens            labels int32 [batch, tokens], -100 where nothing is asked: the mean over the rest
        next              the same, the logits of each token against the label of the one after it
        span              start and end int32 [batch]

Other metadata: `modelType`, `head` (of TEXT_HEADS in src/models/text-model.ts), `architecture`, `config` (JSON,
what config.json would hold), `saved` (JSON: names that save_pretrained writes), `dropouts` (JSON: [rate, number of
elements] of every dropout of a forward pass in training, sorted).
"""

import json
import pathlib
import tempfile

import numpy as np
import torch
import transformers
from model_common import ROOT, randomize
from safetensors import safe_open
from safetensors.torch import save_file

transformers.logging.disable_progress_bar()

OUT = ROOT / "test" / "golden" / "text"
LIMIT = 150_000
#: Texts of the batch, and their lengths with padding on the right.
LENGTHS = (7, 5, 3)
IGNORED = -100


def rng(name):
    """Random numbers that belong to a file's name."""
    return np.random.default_rng(list(name.encode()))


def ids_of(name, vocabulary, pad, lengths=LENGTHS, first=3):
    """input_ids and attention_mask. Special tokens lie below `first`, or at `pad`."""
    r = rng(name)
    width = max(lengths)
    ids = torch.full((len(lengths), width), pad, dtype=torch.long)
    mask = torch.zeros(len(lengths), width, dtype=torch.long)
    words = [i for i in range(first, vocabulary) if i != pad]
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.from_numpy(r.choice(words, length))
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask}


def token_labels(name, mask, classes, share=0.7):
    """A class for most tokens, -100 for the others and for padding."""
    r = rng(name + " labels")
    labels = torch.from_numpy(r.integers(0, classes, tuple(mask.shape)))
    asked = torch.from_numpy(r.random(tuple(mask.shape)) < share)
    asked[:, :2] = True
    return torch.where((mask == 1) & asked, labels, IGNORED)


def without_padding_rows(model):
    """Embeddings take gradients at padding, too. PyTorch would leave them out after the fact."""
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None
    return model


def saved_names(model):
    """Names of the tensors of a folder that save_pretrained writes."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        (file,) = pathlib.Path(folder).glob("*.safetensors")
        with safe_open(file, "pt") as f:
            return sorted(f.keys())


def answer(model, inputs, loss, labels):
    """What the head gives, and the loss."""
    if loss == "hidden":
        hidden = model(**inputs).last_hidden_state
        return hidden, (hidden * labels["dy"]).sum()
    if loss == "span":
        out = model(**inputs, start_positions=labels["start"], end_positions=labels["end"])
        return torch.stack([out.start_logits, out.end_logits], -1), out.loss
    out = model(**inputs, labels=labels["labels"])
    return out.logits, out.loss


def compute(model, inputs, loss, labels):
    model.zero_grad(set_to_none=True)
    logits, value = answer(model, inputs, loss, labels)
    value.backward()
    grads = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()}
    return {"logits": logits.detach(), "loss": value.detach().reshape(1)}, grads


def dropouts(model, inputs):
    """Rates and sizes of what a forward pass drops from while training."""
    seen = []
    plain = torch.nn.functional.dropout

    def recorded(x, p=0.5, training=True, inplace=False):
        if training and p > 0:
            seen.append([p, x.numel()])
        return plain(x, p, training, inplace)

    torch.nn.functional.dropout = recorded
    try:
        with torch.no_grad():
            model.train()(**inputs)
    finally:
        torch.nn.functional.dropout = plain
        model.eval()
    return sorted(seen)


def to(tensors, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}


def differ(got, want):
    """In tolerances of the tests."""
    return max(((got[k].double() - want[k]).abs() / (1e-5 + 1e-3 * want[k].abs())).max().item() for k in want)


def write(name, head, model, inputs, loss, labels, zero=(), seed=0):
    """Makes test/golden/text/<name>.safetensors.

    `zero`: parts of names of parameters whose gradients are zero by nature, such as biases of keys.
    """
    model = without_padding_rows(model).double().eval()
    randomize(model, seed)
    saved = saved_names(model)
    # A tied table goes by the one of its names that is saved.
    names = {id(p): n for n, p in model.named_parameters(remove_duplicate=False) if n in saved}
    layout = [[names[id(p)], list(p.shape)] for p in model.parameters()]
    dropped = dropouts(model, inputs)
    labels = to(labels, torch.float64)
    got, grads = compute(model, inputs, loss, labels)
    dead = [n for n, g in grads.items() if g.abs().max() < 1e-7 and not any(z in n for z in zero)]
    if dead:
        raise SystemExit(f"{name}: no gradient for {', '.join(dead)}")
    single, single_grads = compute(model.float(), inputs, loss, to(labels, torch.float32))
    off = max(differ(single, got), differ(single_grads, grads))
    if off > 0.5:
        raise SystemExit(f"{name}: float32 is {off:.2f} tolerances off; choose another seed")
    out = {
        "weights": torch.cat([p.detach().reshape(-1) for p in model.parameters()]),
        "grads": torch.cat([grads[n].reshape(-1) for n, _ in model.named_parameters()]),
        **got,
        **labels,
        **{f"in/{k}": v for k, v in inputs.items()},
    }
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.safetensors"
    config = json.loads(model.config.to_json_string(use_diff=False))
    save_file(
        {
            k: v.to(torch.float32 if v.is_floating_point() else torch.int32).contiguous().clone()
            for k, v in out.items()
        },
        path,
        metadata={
            "modelType": model.config.model_type,
            "head": head,
            "architecture": type(model).__name__,
            "loss": loss,
            "config": json.dumps(config),
            "layout": json.dumps(layout, separators=(",", ":")),
            "dropouts": json.dumps(dropped, separators=(",", ":")),
            "saved": json.dumps(saved, separators=(",", ":")),
        },
    )
    size = path.stat().st_size
    note = "" if size < LIMIT else "  TOO LARGE"
    print(f"{path.relative_to(ROOT)}: {size} bytes, float32 {off:.2f} tolerances off{note}")


def write_head(name, head, model, inputs, classes=3, loss=None, zero=(), seed=0):
    """The same with labels drawn for the head; `loss` for other than the usual one of a classifier.

    Encoder-decoders give `decoder_input_ids` and `decoder_attention_mask` among their inputs.
    """
    r = rng(name + " drawn")
    mask = inputs.get("decoder_attention_mask", inputs["attention_mask"])
    batch = mask.shape[0]
    floats = lambda *shape: torch.from_numpy(r.standard_normal(shape).astype(np.float32))
    if head == "base":
        loss = "hidden"
        labels = {"dy": floats(*mask.shape, model.config.hidden_size) * mask[..., None] / mask.sum()}
    elif head == "sequence-classification":
        loss = loss or "single"
        labels = {
            "single": lambda: torch.from_numpy(r.integers(0, classes, batch)),
            "multi": lambda: (floats(batch, classes) > 0).float(),
            "regression": lambda: floats(batch, classes),
        }[loss]()
        labels = {"labels": labels}
    elif head == "question-answering":
        loss = "span"
        lengths = inputs["attention_mask"].sum(1)
        labels = {k: torch.stack([torch.tensor(r.integers(0, int(n))) for n in lengths]) for k in ("start", "end")}
    else:
        loss = "next" if head == "causal-lm" else "tokens"
        wide = head in ("masked-lm", "causal-lm", "seq2seq-lm")
        labels = {"labels": token_labels(name, mask, model.config.vocab_size if wide else classes)}
    write(name, head, model, inputs, loss, labels, zero, seed)
