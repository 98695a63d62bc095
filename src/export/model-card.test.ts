import { describe, expect, test } from 'vitest';
import { IMAGENET_PREPROCESS } from '../models/index.js';
import { type CardFacts, type CardSubject, modelCard, preprocessSteps } from './index.js';

const subject: CardSubject = {
  modelType: 'resnet',
  config: { labels: ['ant', 'a|b `c` <script>', '# d'], channels: 3 },
  preprocess: IMAGENET_PREPROCESS,
  loaders: { transformers: 'ResNetForImageClassification', timm: null, transformersJs: true },
  source: { paper: 'https://example.org/paper', code: 'https://example.org/code' },
};
const facts: CardFacts = {
  base: { name: 'microsoft/resnet-18', license: 'apache-2.0' },
  method: 'fine-tune',
  data: { name: 'ants: "bees"\nand more', trainingSamples: 245, validationSamples: 153 },
  metrics: { accuracy: 0.94117647, f1: 0.5 },
  command: 'graft fit data --seed 1',
};

/** The lines between the two marks. */
function front(card: string): string[] {
  const lines = card.split('\n');
  expect(lines[0]).toBe('---');
  return lines.slice(1, lines.indexOf('---', 1));
}

describe('a card', () => {
  test('says what the hub wants to know', () => {
    expect(front(modelCard('bugs', subject, facts))).toEqual([
      'library_name: transformers',
      'pipeline_tag: image-classification',
      'license: apache-2.0',
      'base_model: microsoft/resnet-18',
      'tags: ["image-classification", "graft", "onnx", "transformers.js"]',
      'model-index:',
      '- name: "bugs"',
      '  results:',
      '  - task: {type: image-classification}',
      '    dataset: {name: "ants: \\"bees\\"\\nand more", type: imagefolder}',
      '    metrics:',
      '    - {type: "accuracy", value: 0.941176}',
      '    - {type: "f1", value: 0.5}',
    ]);
  });

  test('tells where the model comes from and how good it is', () => {
    const card = modelCard('bugs', subject, facts);
    expect(card).toContain('- Base: microsoft/resnet-18 (apache-2.0)');
    expect(card).toContain('- Licence: apache-2.0');
    expect(card).toContain('245 to train on, 153 to validate with');
    expect(card).toContain('| accuracy | 0.941176 |');
    expect(card).toContain('- Trained by: `graft fit data --seed 1`');
  });

  test('lets no name break out of its line', () => {
    const card = modelCard('x\n---\n<b>', subject, facts);
    expect(card).toContain('a\\|b \\`c\\` \\<script\\>, \\# d.');
    expect(card).toContain('# x --- \\<b\\>');
    expect(front(card)).toContain('- name: "x\\n---\\n<b>"');
    expect(card).toContain('- Data: ants: "bees" and more,');
  });

  test('claims no licence that is not known, and no repository that is a path', () => {
    const card = modelCard('bugs', subject, { base: { name: './runs/one' } });
    expect(front(card).filter((l) => /license|base_model/.test(l))).toEqual([]);
    expect(card).toContain('Licence: not known; find out');
    const own = modelCard('bugs', subject, { base: { name: 'graft/tiny' }, license: 'My terms' });
    expect(front(own)).toContain('license: other');
    expect(front(own)).toContain('license_name: "My terms"');
    expect(front(own).join()).not.toContain('base_model');
  });

  test('shows only what can load the model', () => {
    const with_ = (loaders: CardSubject['loaders']) => modelCard('m', { ...subject, loaders });
    const known = with_(subject.loaders);
    expect(known).toContain("'@huggingface/transformers'");
    expect(known).toContain('from transformers import pipeline');
    const timm = with_({ transformers: null, timm: 'vgg16', transformersJs: false });
    expect(timm).toContain('timm.create_model("local-dir:');
    expect(timm).not.toContain("'@huggingface/transformers'");
    const nobody = with_({ transformers: null, timm: null, transformersJs: false });
    expect(nobody).toContain('Neither transformers nor transformers.js nor timm has this model');
    expect(nobody).not.toContain('import pipeline');
    expect(nobody).toContain('onnxruntime.InferenceSession("onnx/model.onnx")');
    expect(front(nobody)).toContain('library_name: graftml');
  });

  test('lists a hundred labels at most', () => {
    const labels = Array.from({ length: 130 }, (_, i) => `class ${i}`);
    const card = modelCard('m', { ...subject, config: { labels, channels: 3 } });
    expect(card).toContain('class 99 and 30 more, see config.json');
    expect(card).not.toContain('class 100');
  });
});

test('preprocessing is told step by step', () => {
  expect(preprocessSteps(IMAGENET_PREPROCESS)).toEqual([
    'resize the short side to 256 pixels (bilinear), cut the centre, 224 x 224 (height x width)',
    'multiply by 1/255, subtract [0.485, 0.456, 0.406], divide by [0.229, 0.224, 0.225]',
    'order the axes as [batch, red green blue, height, width], float32',
  ]);
  const squash = { ...IMAGENET_PREPROCESS, fit: 'squash', rescale: 1 / 127.5 } as const;
  const { shortSide: _, ...whole } = squash;
  expect(preprocessSteps(whole)[0]).toMatch(/^resize to 224 x 224 .* whatever the aspect/);
  expect(preprocessSteps({ ...whole, squashTo: [256, 250] })[0]).toMatch(
    /^resize to 256 x 250 pixels .*, cut the centre, 224 x 224/,
  );
});
