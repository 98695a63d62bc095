"""Writes test/golden/text/: encoders and decoders with every head (see text_common.py).

python scripts/golden/models_text.py [part of a name ...]
"""

import sys

import torch
import transformers as t
from text_common import LENGTHS, ids_of, write_head

WIDTH, VOCABULARY = 16, 61
CLASSES = 3

ENCODER = dict(
    vocab_size=VOCABULARY,
    hidden_size=WIDTH,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=24,
    max_position_embeddings=20,
    # Rates that differ, so that each is seen in its place.
    hidden_dropout_prob=0.15,
    attention_probs_dropout_prob=0.25,
    classifier_dropout=0.35,
)
LLAMA = dict(
    vocab_size=VOCABULARY,
    hidden_size=WIDTH,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    pad_token_id=0,
    attention_dropout=0.25,
)
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}

# Class names by head; what the architecture's first heads are called differs.
ENCODER_HEADS = {
    "base": "Model",
    "sequence-classification": "ForSequenceClassification",
    "token-classification": "ForTokenClassification",
    "question-answering": "ForQuestionAnswering",
    "masked-lm": "ForMaskedLM",
}
DECODER_HEADS = {**{k: v for k, v in ENCODER_HEADS.items() if k != "masked-lm"}, "causal-lm": "ForCausalLM"}

# What is added to the scores of all keys, or to the logits of all tokens, changes no softmax.
KEYS = (".key.bias", ".k_lin.bias")
SPANS = ("qa_outputs.bias", "layer.1.output.LayerNorm.bias", "layer.1.output_layer_norm.bias", "ln_f.bias")

wanted = sys.argv[1:]


def want(name):
    return not wanted or any(w in name for w in wanted)


def types(inputs):
    """The second text of a pair begins in the middle."""
    mask = inputs["attention_mask"]
    half = mask.sum(1, keepdim=True) // 2
    return ((torch.arange(mask.shape[1])[None] >= half) & (mask == 1)).long()


def run(name, head, cls, config, pad, typed=False, loss=None, zero=(), options=None, lengths=LENGTHS):
    if not want(name):
        return
    config = config(CLASSES if head.endswith("classification") else 2)
    # transformers' own default; fused kernels have no double precision everywhere.
    config._attn_implementation = "eager"
    inputs = ids_of(name, VOCABULARY, pad, lengths)
    if typed:
        inputs["token_type_ids"] = types(inputs)
    zero = (*zero, *SPANS) if head == "question-answering" else zero
    write_head(name, head, cls(config, **(options or {})), inputs, CLASSES, loss, zero)


def family(model_type, cls, config, heads, pad, **rest):
    for head, suffix in heads.items():
        # Without the pooler that only classifiers of whole texts read.
        options = {"add_pooling_layer": False} if head == "base" and cls in ("Bert", "Roberta", "XLMRoberta") else None
        made = lambda labels: config(num_labels=labels)
        name = {"GPT2ForCausalLM": "GPT2LMHeadModel"}.get(cls + suffix, cls + suffix)
        run(f"{model_type}-{head}", head, getattr(t, name), made, pad, options=options, **rest)


with_ = lambda cls, **fields: lambda **more: cls(**{**fields, **more})

bert = with_(t.BertConfig, **ENCODER)
family("bert", "Bert", bert, ENCODER_HEADS, 0, typed=True, zero=KEYS)
for loss, problem in (("multi", "multi_label_classification"), ("regression", "regression")):
    run(
        f"bert-sequence-classification-{loss}",
        "sequence-classification",
        t.BertForSequenceClassification,
        lambda labels: bert(num_labels=labels, problem_type=problem),
        0,
        typed=True,
        loss=loss,
        zero=KEYS,
    )
for model_type, cls in (("roberta", "Roberta"), ("xlm-roberta", "XLMRoberta")):
    # RoBERTa's checkpoints have one type of text only.
    config = with_(getattr(t, cls + "Config"), **ENCODER, type_vocab_size=1)
    family(model_type, cls, config, ENCODER_HEADS, 1, zero=KEYS)
distilbert = with_(
    t.DistilBertConfig,
    vocab_size=VOCABULARY,
    dim=WIDTH,
    hidden_dim=24,
    n_layers=2,
    n_heads=4,
    max_position_embeddings=20,
    dropout=0.15,
    attention_dropout=0.25,
    qa_dropout=0.35,
    seq_classif_dropout=0.45,
)
family("distilbert", "DistilBert", distilbert, ENCODER_HEADS, 0, zero=KEYS)
gpt2 = with_(
    t.GPT2Config,
    vocab_size=VOCABULARY,
    n_embd=WIDTH,
    n_layer=2,
    n_head=4,
    n_inner=24,
    n_positions=20,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=2,
    resid_pdrop=0.15,
    embd_pdrop=0.2,
    attn_pdrop=0.25,
    classifier_dropout=0.35,
)
# Of the fused bias a third are the keys', so that it as a whole has a gradient.
family("gpt2", "GPT2", gpt2, DECODER_HEADS, 2)
run(
    "gpt2-causal-lm-scaled",
    "causal-lm",
    t.GPT2LMHeadModel,
    lambda labels: gpt2(scale_attn_by_inverse_layer_idx=True, activation_function="gelu", n_inner=None),
    2,
)
family("llama", "Llama", with_(t.LlamaConfig, **LLAMA), DECODER_HEADS, 0)
run(
    "llama-causal-lm-llama3",
    "causal-lm",
    t.LlamaForCausalLM,
    # Heads of other than hidden_size / heads channels, every bias, a tied table.
    lambda labels: t.LlamaConfig(
        **LLAMA, head_dim=8, rope_parameters=LLAMA3, attention_bias=True, mlp_bias=True, tie_word_embeddings=True
    ),
    0,
)
run(
    "llama-causal-lm-linear",
    "causal-lm",
    t.LlamaForCausalLM,
    lambda labels: t.LlamaConfig(
        **LLAMA, rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}, hidden_act="gelu"
    ),
    0,
)
family("qwen2", "Qwen2", with_(t.Qwen2Config, **LLAMA, tie_word_embeddings=True), DECODER_HEADS, 0)
family("mistral", "Mistral", with_(t.MistralConfig, **LLAMA, sliding_window=None), DECODER_HEADS, 0)
# Narrow, as there is nothing to see in their other parts.
SMALL = {**LLAMA, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "num_key_value_heads": 1}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 100.0,
    "factor": 4.0,
    "original_max_position_embeddings": 16,
    # Of 8 pairs of channels some stay, some are stretched, and some lie between.
    "beta_fast": 2.0,
    "beta_slow": 0.25,
}
for variant, rope in {
    "yarn": YARN,
    "yarn-mscale": {**YARN, "mscale": 0.7, "mscale_all_dim": 0.3, "truncate": False},
    # Up to max_position_embeddings its angles are plain.
    "dynamic": {"rope_type": "dynamic", "rope_theta": 100.0, "factor": 4.0},
}.items():
    run(
        f"llama-causal-lm-{variant}",
        "causal-lm",
        t.LlamaForCausalLM,
        lambda labels: t.LlamaConfig(
            **SMALL, head_dim=16 if variant.startswith("yarn") else 4, rope_parameters=rope
        ),
        0,
    )
# Windows shorter than the texts: in all layers, and in the second one alone. Without padding, whose own answers are
# others here: transformers counts places, not words.
WINDOW = dict(sliding_window=4)
lengths = (7, 7, 7)
run(
    "mistral-causal-lm-window",
    "causal-lm",
    t.MistralForCausalLM,
    lambda labels: t.MistralConfig(**SMALL, **WINDOW),
    0,
    lengths=lengths,
)
run(
    "qwen2-causal-lm-window",
    "causal-lm",
    t.Qwen2ForCausalLM,
    lambda labels: t.Qwen2Config(**SMALL, **WINDOW, use_sliding_window=True, max_window_layers=1),
    0,
    lengths=lengths,
)
