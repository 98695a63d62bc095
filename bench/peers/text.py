"""PyTorch eager and transformers: the peer of `npm run bench:text`.

serving.py says how it is driven; the last argument is a folder with `mixed.json`, ids of sentences.
`python text.py --first-step FOLDER` takes one training step of the base in FOLDER.
Needs torch, transformers and accelerate from PyPI, nothing else.
"""

import json
import os
import sys
import time

import serving

THREADS = 2
BATCH = 16
TOKENS = 128
PROMPT = 16
WRITTEN = 128

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

try:
    import torch
    import transformers
    from torch import nn
    from torch.nn.utils.rnn import pad_sequence
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        GPT2Config,
        GPT2LMHeadModel,
        T5Config,
        T5ForConditionalGeneration,
    )
except ImportError as missing:
    hint = "run: pip install torch transformers accelerate"
    print(json.dumps({"error": f"{missing.name} is not installed for this python; {hint}"}))
    sys.exit(1)

torch.set_num_threads(THREADS)
torch.manual_seed(0)


def bert(**size):
    return BertForSequenceClassification(BertConfig(num_labels=2, **size))


def tokens(vocabulary):
    ids = (torch.arange(BATCH * TOKENS) * 7919 % vocabulary).view(BATCH, TOKENS)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
    }


def trainer_step(model):
    """AdamW and a clipped gradient, for the weights that move."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, weight_decay=0.01)

    def step(batch):
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss.item()

    return step


def labelled(model):
    return {**tokens(model.config.vocab_size), "labels": torch.arange(BATCH) % 2}


def full_step():
    model = bert().train()
    step, batch = trainer_step(model), labelled(model)
    return lambda: step(batch)


def head_step():
    """Pooler and classifier move; the trunk, frozen, makes no graph and drops nothing."""
    model = bert().train()
    for part in (model.bert.embeddings, model.bert.encoder):
        part.requires_grad_(False).eval()
    step, batch = trainer_step(model), labelled(model)
    return lambda: step(batch)


def evaluation():
    model = bert().eval()
    batch = tokens(model.config.vocab_size)

    def run():
        with torch.inference_mode():
            return model(**batch).logits

    return run


def compiled_evaluation():
    model = bert().eval()
    batch = tokens(model.config.vocab_size)
    try:
        fast = torch.compile(model)
        with torch.no_grad():
            fast(**batch)
    except Exception as reason:  # no compiler, no headers: whatever it lacks
        said = str(reason).strip().splitlines() or [type(reason).__name__]
        raise serving.Unsupported(f"torch.compile does not run here: {said[0][:120]}") from reason

    def run():
        with torch.no_grad():
            return fast(**batch).logits

    return run


def generation():
    """Greedy, with the cache; by the attention that is faster."""
    model = GPT2LMHeadModel(GPT2Config(eos_token_id=None)).eval()
    model.generation_config.eos_token_id = None
    ids = torch.arange(1000, 1000 + PROMPT)[None]
    arguments = {
        "attention_mask": torch.ones_like(ids),
        "max_new_tokens": WRITTEN,
        "do_sample": False,
        "pad_token_id": 0,
    }

    def run():
        written = model.generate(ids, **arguments)
        assert written.shape[1] == PROMPT + WRITTEN

    times = {}
    for attention in ("sdpa", "eager"):
        model.set_attn_implementation(attention)
        run()
        start = time.perf_counter()
        run()
        times[attention] = time.perf_counter() - start
    best = min(times, key=times.get)
    model.set_attn_implementation(best)
    run.note = f"transformers' attention: {best}"
    return run


def given(name):
    with open(os.path.join(sys.argv[-1], name), encoding="utf-8") as file:
        return json.load(file)


def padded(rows):
    """Sources padded to the longest, and what says where they end."""
    ids = [torch.tensor(row["input_ids"]) for row in rows]
    return {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
    }


def trainer_run(model, samples, labels, epochs=1):
    """transformers' Trainer, texts grouped by length; `labels` makes those of a batch."""
    from transformers import Trainer, TrainingArguments

    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=sys.argv[-1],
            per_device_train_batch_size=BATCH,
            num_train_epochs=epochs,
            train_sampling_strategy="group_by_length",
            learning_rate=5e-5,
            weight_decay=0.01,
            max_grad_norm=1.0,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=samples,
        data_collator=lambda rows: {**padded(rows), "labels": labels(rows)},
    )
    # It prints a summary of every training, where replies are read.
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer.train


def sentence_run(freeze, epochs):
    mixed = given("mixed.json")
    samples = [{"input_ids": ids, "labels": i % 2} for i, ids in enumerate(mixed["ids"])]
    model = bert(**mixed["config"])
    if freeze:
        for part in (model.bert.embeddings, model.bert.encoder):
            part.requires_grad_(False)
    return trainer_run(model, samples, lambda rows: torch.tensor([r["labels"] for r in rows]), epochs)


def mixed_lengths():
    return sentence_run(freeze=False, epochs=1)


def frozen_run():
    return sentence_run(freeze=True, epochs=3)


def translations():
    samples = [{"input_ids": p["source"], "labels": p["target"]} for p in given("pairs.json")]

    def labels(rows):
        targets = [torch.tensor(row["labels"]) for row in rows]
        return pad_sequence(targets, batch_first=True, padding_value=-100)

    return trainer_run(T5ForConditionalGeneration(T5Config(decoder_start_token_id=0)), samples, labels)


def first_step(folder):
    """Says when it stands before the step, and when the step is done."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = BertForSequenceClassification.from_pretrained(folder, num_labels=2).train()
    text = " ".join(["text"] * TOKENS)
    encoded = tokenizer([text] * BATCH, max_length=TOKENS, truncation=True, return_tensors="pt")
    step = trainer_step(model)
    print("ready", flush=True)
    step({**encoded, "labels": torch.arange(BATCH) % 2})
    print("done", flush=True)


ROWS = {
    "BERT-base full step": full_step,
    "BERT-base frozen trunk + head step": head_step,
    "BERT-base evaluation forward": evaluation,
    "BERT-base evaluation forward, torch.compile": compiled_evaluation,
    "GPT-2 small, 128 tokens after 16": generation,
    "MiniLM-L6 size, a pass over mixed lengths": mixed_lengths,
    "MiniLM-L6 size frozen, a run of 3 passes over mixed lengths": frozen_run,
    "T5-small, a pass over translations": translations,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--first-step"]:
        first_step(sys.argv[2])
    else:
        serving.main(f"{torch.__version__} + transformers {transformers.__version__}", ROWS)
