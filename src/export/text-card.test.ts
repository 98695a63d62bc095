import { describe, expect, test } from 'vitest';
import { loadTextDefinition, type TextConfig, type TextHead } from '../models/index.js';
import { type TextCardSubject, textCard, textPipeline } from './index.js';

async function subject(
  modelType: string,
  headName: TextHead,
  config: Partial<TextConfig> = {},
  more: Partial<TextCardSubject> = {},
): Promise<TextCardSubject> {
  const definition = await loadTextDefinition(modelType);
  const parsed = { ...definition.parse({}), labels: ['no', '<b>yes</b>'], ...config };
  const { maxTokens } = parsed;
  return { definition, headName, config: parsed, maxTokens, onnx: ['model.onnx'], ...more };
}

describe('the card of a text model', () => {
  test('says what it is, whose it is and how good', async () => {
    const about = await subject('bert', 'sequence-classification');
    const card = textCard('reviews', about, {
      base: { name: 'org/small', license: 'mit' },
      data: { name: 'reviews.csv', trainingSamples: 10 },
      metrics: { accuracy: 0.875 },
    });
    const front = card.split('---')[1]!;
    expect(front).toContain('library_name: transformers\npipeline_tag: text-classification');
    expect(front).toContain('license: mit\nbase_model: org/small');
    expect(front).toContain('dataset: {name: "reviews.csv", type: text}');
    expect(front).toContain('"transformers.js"');
    expect(card).toContain('Classes: no, \\<b\\>yes\\</b\\>.');
    expect(card).toContain('| accuracy | 0.875 |');
    expect(card).toContain('up to 512 tokens');
    expect(card).toContain('"token_type_ids": token_type_ids');
    expect(card).toContain('The softmax of the logits');
  });

  test('tells how the numbers of each kind of classifier are read', async () => {
    const of = async (problem: TextConfig['problem']) =>
      textCard('x', await subject('roberta', 'sequence-classification', { problem }));
    expect(await of('regression')).toMatch(/The logit is the score itself/);
    expect(await of('regression')).not.toContain('Classes:');
    const one = { problem: null, labels: ['LABEL_0'] };
    const ranker = textCard('x', await subject('bert', 'sequence-classification', one));
    expect(ranker).toMatch(/The logit is the score itself/);
    expect(ranker).not.toContain('Classes:');
    expect(await of('multi_label_classification')).toMatch(/sigmoid[\s\S]*several may hold/);
    expect(await of('multi_label_classification')).toContain('top_k=None');
  });

  test('names only pipelines that there are', async () => {
    const onnx = ['encoder_model.onnx', 'decoder_model_merged.onnx'];
    const about = await subject('t5', 'seq2seq-lm', {}, { onnx, task: 'summarization' });
    const card = textCard('x', about);
    expect(card).toContain('pipeline_tag: summarization');
    expect(card).toContain('AutoModelForSeq2SeqLM.from_pretrained');
    expect(card).not.toContain('from transformers import pipeline');
    expect(card).toContain("pipeline('summarization'");
    expect(card).toContain('`onnx/encoder_model.onnx` and `onnx/decoder_model_merged.onnx`');
    expect(card).toContain('have 0 tokens in the first run');
    const alike = await subject('bert', 'base', {}, { task: 'sentence-similarity' });
    expect(textPipeline(alike)).toBe('sentence-similarity');
    expect(textCard('x', alike)).toContain("pipeline('feature-extraction'");
    expect(textCard('x', alike)).toContain('the mean over its tokens');
    const foreign = textCard('x', await subject('gpt2', 'sequence-classification'));
    expect(foreign).not.toContain('transformers.js');
  });
});
