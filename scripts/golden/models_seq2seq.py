"""Writes test/golden/text/: encoder-decoders with every head (see text_common.py).

python scripts/golden/models_seq2seq.py [part of a name ...]
"""

import sys

import torch
import transformers as t
from text_common import ids_of, write_head

WIDTH, VOCABULARY = 16, 61
CLASSES = 3
PAD, END = 1, 2
TARGETS = (6, 4, 2)

T5 = dict(
    vocab_size=VOCABULARY,
    d_model=WIDTH,
    d_kv=6,
    d_ff=24,
    num_layers=2,
    num_heads=2,
    # So few that distances fall into classes of every kind.
    relative_attention_num_buckets=8,
    relative_attention_max_distance=6,
    decoder_start_token_id=0,
)
BART = dict(
    vocab_size=VOCABULARY,
    d_model=WIDTH,
    encoder_layers=1,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=2,
    encoder_ffn_dim=24,
    decoder_ffn_dim=20,
    max_position_embeddings=20,
    decoder_start_token_id=END,
    pad_token_id=PAD,
    bos_token_id=0,
    eos_token_id=END,
)

# What is added to the scores of all keys, or to the logits of all tokens, changes no softmax.
ZERO = (".k_proj.bias",)
SPANS = ("qa_outputs.bias", "decoder.layers.1.final_layer_norm.bias")

wanted = sys.argv[1:]


def pairs(name, pad):
    """Texts, and what the decoder reads."""
    target = ids_of(name + " target", VOCABULARY, pad, TARGETS)
    return {**ids_of(name, VOCABULARY, pad), **{f"decoder_{k}": v for k, v in target.items()}}


def ended(name):
    """Texts with two end tokens each, of which the last counts."""
    inputs = ids_of(name, VOCABULARY, PAD)
    for row, length in enumerate(inputs["attention_mask"].sum(1)):
        inputs["input_ids"][row, length - 1] = END
        inputs["input_ids"][row, length // 2 - 1] = END
    return inputs


def as_parameter(model):
    """The bias of the logits as a parameter, and computed positions as no part of the checkpoint."""
    if hasattr(model, "final_logits_bias"):
        bias = model.final_logits_bias
        del model.final_logits_bias
        model.final_logits_bias = torch.nn.Parameter(bias.clone())
    for module in model.modules():
        if type(module).__name__ == "MarianSinusoidalPositionalEmbedding":
            table = module.weight.detach().clone()
            del module.weight
            module.register_buffer("weight", table, persistent=False)
    return model


def run(name, head, cls, config, inputs, untied=False, zero=ZERO, seed=0):
    if wanted and not any(w in name for w in wanted):
        return
    config._attn_implementation = "eager"
    model = as_parameter(cls(config))
    if untied:
        # As the published weights are: `tie_word_embeddings` is false, and there are two tables.
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    write_head(name, head, model, inputs, CLASSES, None, zero, seed)


t5 = lambda **more: t.T5Config(**{**T5, **more})
mt5 = lambda **more: t.MT5Config(**{**T5, **more})
bart = lambda **more: t.BartConfig(**{**BART, **more})
marian = lambda **more: t.MarianConfig(**{**BART, "activation_function": "swish", "scale_embedding": True, **more})

if __name__ == "__main__":
    run("t5-base", "base", t.T5Model, t5(), pairs("t5-base", 0))
    run("t5-seq2seq-lm", "seq2seq-lm", t.T5ForConditionalGeneration, t5(num_decoder_layers=1), pairs("t5-seq2seq-lm", 0))
    run(
        "t5-seq2seq-lm-gated",
        "seq2seq-lm",
        t.T5ForConditionalGeneration,
        t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
        pairs("t5-seq2seq-lm-gated", 0),
        untied=True,
    )
    run("mt5-base", "base", t.MT5Model, mt5(), pairs("mt5-base", 0), seed=5)
    run("mt5-seq2seq-lm", "seq2seq-lm", t.MT5ForConditionalGeneration, mt5(), pairs("mt5-seq2seq-lm", 0), untied=True)
    run("bart-base", "base", t.BartModel, bart(), pairs("bart-base", PAD))
    run("bart-seq2seq-lm", "seq2seq-lm", t.BartForConditionalGeneration, bart(), pairs("bart-seq2seq-lm", PAD))
    run(
        "bart-seq2seq-lm-scaled",
        "seq2seq-lm",
        t.BartForConditionalGeneration,
        bart(scale_embedding=True, activation_function="relu"),
        pairs("bart-seq2seq-lm-scaled", PAD),
    )
    run(
        "bart-sequence-classification",
        "sequence-classification",
        t.BartForSequenceClassification,
        bart(num_labels=CLASSES),
        ended("bart-sequence-classification"),
    )
    run(
        "bart-question-answering",
        "question-answering",
        t.BartForQuestionAnswering,
        bart(num_labels=2),
        ended("bart-question-answering"),
        zero=(*ZERO, *SPANS),
    )
    run("marian-base", "base", t.MarianModel, marian(), pairs("marian-base", PAD))
    run("marian-seq2seq-lm", "seq2seq-lm", t.MarianMTModel, marian(), pairs("marian-seq2seq-lm", PAD))
    run(
        "marian-seq2seq-lm-two-tables",
        "seq2seq-lm",
        t.MarianMTModel,
        marian(share_encoder_decoder_embeddings=False, decoder_vocab_size=VOCABULARY),
        pairs("marian-seq2seq-lm-two-tables", PAD),
    )
