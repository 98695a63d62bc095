"""Writes test/golden/generate/: what transformers writes with tiny random models, greedily and with beams.

python scripts/golden/generate.py [part of a name ...]

One safetensors file and one JSON file a model: the file holds `weights` end to end in the order of the metadata's
`layout`, with `config` and `head` as text_common.py has them; the JSON holds the prompts and, for each set of
options, the texts: only what was written, the end token included.

Weights are scaled up until the chances of words differ clearly, and every choice is checked: where float32 and
float64 write different texts, or the scores of the chosen and the next word are closer than MARGIN, another seed
is taken. A word that comes in a good part of the texts is made the one that ends them.
"""

import json
import sys

import numpy as np
import torch
import transformers as t
from models_seq2seq import as_parameter
from safetensors.torch import save_file
from text_common import ROOT, randomize

OUT = ROOT / "test" / "golden" / "generate"
PROMPTS = 50
NEW = 14
WIDTH, VOCABULARY = 16, 61
PAD, BOS, END = 1, 0, 2
#: Scores are logarithms of chances; float32 is off by about 1e-5 here.
MARGIN = 1e-4

DECODER = dict(vocab_size=VOCABULARY, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=END)
SIDES = dict(
    vocab_size=VOCABULARY,
    d_model=WIDTH,
    encoder_layers=1,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=24,
    decoder_ffn_dim=24,
    max_position_embeddings=40,
    decoder_start_token_id=END,
    forced_eos_token_id=None,
    pad_token_id=PAD,
    bos_token_id=BOS,
    eos_token_id=END,
)
MODELS = {
    "gpt2": lambda: t.GPT2LMHeadModel(
        t.GPT2Config(n_embd=WIDTH, n_layer=2, n_head=4, n_inner=24, n_positions=40, **DECODER)
    ),
    "llama": lambda: t.LlamaForCausalLM(
        t.LlamaConfig(
            hidden_size=WIDTH,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            **DECODER,
        )
    ),
    # Most texts are longer than the window.
    "mistral": lambda: t.MistralForCausalLM(
        t.MistralConfig(
            hidden_size=WIDTH,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            sliding_window=5,
            **DECODER,
        )
    ),
    "t5": lambda: t.T5ForConditionalGeneration(
        t.T5Config(
            vocab_size=VOCABULARY,
            d_model=WIDTH,
            d_kv=4,
            d_ff=24,
            num_layers=2,
            num_heads=4,
            # So few that distances of long texts share classes.
            relative_attention_num_buckets=8,
            relative_attention_max_distance=10,
            decoder_start_token_id=PAD,
            pad_token_id=PAD,
            eos_token_id=END,
        )
    ),
    "bart": lambda: t.BartForConditionalGeneration(t.BartConfig(**SIDES)),
    "marian": lambda: t.MarianMTModel(t.MarianConfig(**SIDES, activation_function="swish", scale_embedding=True)),
}
BEAMS = dict(num_beams=4)
CASES = {
    "greedy": {},
    "greedy-processed": dict(no_repeat_ngram_size=2, repetition_penalty=1.3, min_new_tokens=4),
    "beams": dict(**BEAMS, length_penalty=1.0),
    "beams-short": dict(**BEAMS, length_penalty=0.6, no_repeat_ngram_size=3),
    "beams-early": dict(**BEAMS, early_stopping=True, no_repeat_ngram_size=2, num_return_sequences=2),
    "beams-never": dict(**BEAMS, early_stopping="never", length_penalty=1.4),
}
#: transformers' names of options, and ours.
OURS = {
    "no_repeat_ngram_size": "noRepeatNgramSize",
    "repetition_penalty": "repetitionPenalty",
    "min_new_tokens": "minNewTokens",
    "num_beams": "numBeams",
    "length_penalty": "lengthPenalty",
    "early_stopping": "earlyStopping",
    "num_return_sequences": "numReturnSequences",
}


def prompts(name):
    r = np.random.default_rng(list(name.encode()))
    return [r.integers(3, VOCABULARY, int(r.integers(1, 13))).tolist() for _ in range(PROMPTS)]


def ended(tokens, end):
    """Without what fills a batch after the end of a text."""
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens


def ending(texts):
    """A word that comes in about a third of the texts; None where there is none."""
    shares = {w: np.mean([w in row for row in texts]) for w in range(3, VOCABULARY)}
    word = min(shares, key=lambda w: abs(shares[w] - 0.35))
    return word if 0.2 < shares[word] < 0.6 else None


def padded(rows, left):
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), PAD)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for i, row in enumerate(rows):
        at = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, at] = torch.tensor(row)
        mask[i, at] = 1
    return ids, mask


def written(model, rows, options):
    """Texts of all prompts in batches of different lengths."""
    encoder = model.config.is_encoder_decoder
    out = []
    for start in range(0, len(rows), 10):
        ids, mask = padded(rows[start : start + 10], not encoder)
        with torch.no_grad():
            texts = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False, suppress_tokens=[PAD], **options
            )
        first = 1 if encoder else ids.shape[1]
        out += [ended(row[first:].tolist(), model.generation_config.eos_token_id) for row in texts]
    return out


def scale(model, factor):
    """Bolder choices, and end tokens that come now and then."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim > 1 and ("wte" in name or "lm_head" in name or "shared" in name):
                p.mul_(factor)
                p.copy_(p.float().to(p.dtype))


def closest(model, rows):
    """The smallest distance of the best two scores on the way of the greedy texts."""
    encoder = model.config.is_encoder_decoder
    least = np.inf
    for row in rows:
        ids = torch.tensor([row])
        with torch.no_grad():
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=NEW,
                do_sample=False,
                suppress_tokens=[PAD],
                return_dict_in_generate=True,
                output_scores=True,
            )
        for scores in out.scores:
            top = scores.log_softmax(-1).topk(2).values[0]
            least = min(least, (top[0] - top[1]).item())
    return least


def write(name):
    rows = prompts(name)
    for seed in range(60):
        torch.manual_seed(seed)
        model = as_parameter(MODELS[name]()).eval()
        model.generation_config.forced_eos_token_id = None
        randomize(model, seed)
        scale(model, 3.0 if name != "t5" else 6.0)
        model.generation_config.eos_token_id = None
        end = ending(written(model, rows, {}))
        if end is None:
            continue
        model.generation_config.eos_token_id = model.config.eos_token_id = end
        cases = {k: {**o, **({"forced_eos_token_id": end} if k == "beams-never" else {})} for k, o in CASES.items()}
        config = json.loads(model.config.to_json_string(use_diff=False))
        layout = [[n, list(p.shape)] for n, p in model.named_parameters()]
        weights = torch.cat([p.detach().reshape(-1).float() for p in model.parameters()])
        single = {k: written(model, rows, o) for k, o in cases.items()}
        distinct = len({tuple(row) for row in single["greedy"]})
        if distinct < 20:
            continue
        margin = closest(model, rows)
        if margin > MARGIN and single == {k: written(model.double(), rows, o) for k, o in cases.items()}:
            break
        print(f"{name} seed {seed}: margin {margin:.1e}")
    else:
        raise SystemExit(f"{name}: no seed is stable")
    OUT.mkdir(parents=True, exist_ok=True)
    save_file(
        {"weights": weights},
        OUT / f"{name}.safetensors",
        metadata={
            "modelType": name,
            "config": json.dumps(config),
            "layout": json.dumps(layout, separators=(",", ":")),
        },
    )
    ours = lambda o: {
        **{OURS[k]: v for k, v in o.items() if k in OURS},
        **({"forcedEosTokens": [end]} if "forced_eos_token_id" in o else {}),
    }
    record = {
        "maxNewTokens": NEW,
        "suppressTokens": [PAD],
        "prompts": rows,
        "cases": {k: {"options": ours(o), "texts": single[k]} for k, o in cases.items()},
    }
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(record, separators=(",", ":")) + "\n")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes, seed {seed}, margin {margin:.1e}, distinct {distinct}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in MODELS:
        if not sys.argv[1:] or any(w in name for w in sys.argv[1:]):
            write(name)
