"""Writes test/golden/generate/generation-config.json: what transformers writes with a model's own configuration.

python scripts/golden/generation_config.py

The models are those of generate.py, whose files must be there. For each case the files that a folder would hold are
given: `generation_config` (null where there is none) and fields that `config` holds beside the model's own. The folder
is loaded with from_pretrained, and every prompt is answered alone, without any option: `texts` are only what was
written, the end token included. A case whose texts float32 could flip is refused.
"""

import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers as t
from generate import BOS, MODELS, OUT, PAD, prompts
from models_seq2seq import as_parameter
from safetensors import safe_open

t.logging.set_verbosity_error()
warnings.filterwarnings("ignore")
COUNT = 16


def stored(name):
    """The model of test/golden/generate/NAME.safetensors, and the word that ends its texts."""
    with safe_open(OUT / f"{name}.safetensors", "pt") as file:
        metadata, flat = file.metadata(), file.get_tensor("weights")
    model = as_parameter(MODELS[name]()).eval()
    parameters = dict(model.named_parameters())
    at = 0
    with torch.no_grad():
        for path, shape in json.loads(metadata["layout"]):
            size = int(np.prod(shape))
            parameters[path].copy_(flat[at : at + size].reshape(shape))
            at += size
    model.config.eos_token_id = json.loads(metadata["config"])["eos_token_id"]
    return model, model.config.eos_token_id


def cases(name, end):
    tokens = dict(pad_token_id=PAD, bos_token_id=BOS, eos_token_id=end)
    summary = dict(
        num_beams=4,
        no_repeat_ngram_size=3,
        min_length=5,
        max_length=12,
        length_penalty=2.0,
        early_stopping=True,
        forced_bos_token_id=BOS,
        forced_eos_token_id=end,
    )
    if name == "bart":
        start = dict(decoder_start_token_id=2)
        return {
            "summary": (dict(**tokens, **start, **summary), {}),
            "summary in config.json": (None, summary),
            "begins with bos, by its older name": (
                None,
                dict(force_bos_token_to_be_generated=True, max_length=16, num_beams=2),
            ),
            "starts elsewhere": (dict(**tokens, decoder_start_token_id=9, max_new_tokens=8), {}),
        }
    if name == "marian":
        return {
            "translation": (
                dict(
                    **tokens,
                    decoder_start_token_id=2,
                    num_beams=4,
                    max_length=14,
                    bad_words_ids=[[PAD], [7, 8], [30]],
                    forced_eos_token_id=end,
                    renormalize_logits=True,
                ),
                {},
            )
        }
    return {
        "several ends": (dict(tokens, eos_token_id=[end, 14, 31], max_new_tokens=14), {}),
        "lengths with the prompt": (dict(**tokens, min_length=10, max_length=18), {}),
        "penalties": (
            dict(
                **tokens,
                max_new_tokens=12,
                min_new_tokens=3,
                repetition_penalty=1.4,
                suppress_tokens=[PAD, 20, 21],
                begin_suppress_tokens=[end, 30],
                # Without do_sample these mean nothing.
                temperature=0.6,
                top_p=0.9,
            ),
            {},
        ),
        "older config.json": (None, dict(num_beams=3, max_length=22, no_repeat_ngram_size=2)),
    }


def written(model, rows):
    first = [1 if model.config.is_encoder_decoder else len(row) for row in rows]
    out = []
    for row, at in zip(rows, first):
        ids = torch.tensor([row])
        with torch.no_grad():
            text = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids))[0, at:].tolist()
        out.append(text)
    return out


def main():
    record = []
    for name in ("bart", "marian", "llama"):
        model, end = stored(name)
        rows = prompts(name)[:COUNT]
        for case, (generation, more) in cases(name, end).items():
            with tempfile.TemporaryDirectory() as folder:
                model.save_pretrained(folder)
                file = Path(folder, "generation_config.json")
                file.unlink()
                if generation is not None:
                    file.write_text(json.dumps(generation))
                path = Path(folder, "config.json")
                config = json.loads(path.read_text())
                config.pop("forced_eos_token_id", None)
                path.write_text(json.dumps({**config, **more}))
                loaded = type(model).from_pretrained(folder).eval()
                texts = written(loaded, rows)
                if texts != written(loaded.double(), rows):
                    raise SystemExit(f"{name}, {case}: float32 and float64 write different texts")
            print(f"{name}, {case}: {len({tuple(x) for x in texts})} distinct, lengths {sorted({len(x) for x in texts})}")
            record.append(dict(model=name, case=case, generation=generation, config=more, prompts=COUNT, texts=texts))
    path = OUT / "generation-config.json"
    path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
