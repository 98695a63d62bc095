/** The embedded text base: its size, how it is stored, and that what it learned transfers. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Labelled, LinearProbe } from '../../scripts/pretrain/linear-probe.js';
import type { ClassifiedText, Tokenizer } from '../../src/data/index.js';
import { readTextDataset } from '../../src/data/index.node.js';
import { hostTensor, initialize, type Weights } from '../../src/index.js';
import { openWeights } from '../../src/io/index.node.js';
import { loadTextModel, type TextModel } from '../../src/models/index.js';
import { openTextFolder } from '../../src/run/text/base.js';
import { meanPooled } from '../../src/tasks/index.js';
import { Forward } from '../../src/train/index.js';
import { testEngine } from '../support/engine.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const BASE = at('../../assets/bases/minilm');
const REVIEWS = at('../../../shared/data/trec/coarse');
const there = existsSync(REVIEWS);
const TOKENS = 32;
const BATCH = 16;

/** Means of the last hidden states of some questions. */
async function features(
  model: TextModel,
  weights: Weights,
  tokenizer: Tokenizer,
  samples: readonly ClassifiedText[],
): Promise<Labelled> {
  const forward = new Forward(await testEngine(), model, {
    part: 'all',
    weights,
    keep: (hidden, batch) => meanPooled(hidden, batch.attention_mask!),
  });
  const width = 384;
  const out = new Float32Array(samples.length * width);
  for (let start = 0; start < samples.length; start += BATCH) {
    const ids = new Int32Array(BATCH * TOKENS);
    const mask = new Int32Array(BATCH * TOKENS);
    for (const [r, { text }] of samples.slice(start, start + BATCH).entries()) {
      const row = tokenizer.ids(text, { maxLength: TOKENS });
      ids.set(row, r * TOKENS);
      mask.fill(1, r * TOKENS, r * TOKENS + row.length);
    }
    const shape = [BATCH, TOKENS];
    const rows = await forward.run({
      input_ids: hostTensor('int32', shape, ids),
      attention_mask: hostTensor('int32', shape, mask),
    });
    out.set(
      (rows.data as Float32Array).subarray(0, (samples.length - start) * width),
      start * width,
    );
  }
  return { features: out, width, labels: samples.map((s) => s.label) };
}

describe('the embedded text base', () => {
  it('takes at most 12 MB with its tokenizer, matrices in bytes, the rest in float32', async () => {
    const files = readdirSync(BASE);
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'tokenizer.json']));
    const bytes = files.reduce((sum, name) => sum + statSync(`${BASE}/${name}`).size, 0);
    expect(bytes).toBeLessThanOrEqual(12e6);
    const weights = await openWeights(`${BASE}/model.safetensors`);
    try {
      const stored = [...weights.types.values()];
      for (const { dtype, shape } of stored) {
        expect(dtype).toBe(shape.length > 1 ? 'int8' : 'float32');
      }
    } finally {
      await weights.close();
    }
  });

  it('spells every word of its scripts', async () => {
    const { tokenizer } = await openTextFolder(BASE);
    const { unk } = tokenizer.special;
    for (const text of ['zyzzyva qwertyuiop', 'naïve café, 3.14 €!', 'Straße και λόγος']) {
      expect(tokenizer.ids(text)).not.toContain(unk);
      expect(tokenizer.decode(tokenizer.ids(text), { skipSpecialTokens: true })).not.toBe('');
    }
  });

  // Of 300 questions in six classes a guesser tells a sixth or so. Measured: 0.75 against 0.60.
  it.skipIf(!there)(
    `tells kinds of questions by its features, better than random weights do${there ? '' : ': ../shared/data is not there'}`,
    async () => {
      const base = await openTextFolder(BASE);
      const { model, weights } = await loadTextModel(base.files, { head: 'base' });
      const set = await readTextDataset(REVIEWS, { split: false });
      if (set.kind !== 'single-label') throw new Error('TREC has one class a question.');
      const [train, test] = [set.train.slice(0, 600), set.test.slice(0, 300)];
      const score = async (values: Weights) => {
        const of = (samples: readonly ClassifiedText[]) =>
          features(model, values, base.tokenizer, samples);
        const probe = LinearProbe.fit(await of(train));
        return probe.accuracy(await of(test));
      };
      const [learned, random] = [await score(weights), await score(initialize(model, 1))];
      expect(learned).toBeGreaterThan(0.65);
      expect(learned).toBeGreaterThan(random + 0.05);
    },
  );
});
