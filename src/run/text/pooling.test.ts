/** Bases of sentence-transformers: embeddings are made as their files say, in runs and exports too. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toyTexts } from '../../../test/support/toy-texts.js';
import { poolingFiles } from '../../tasks/index.js';
import { exportRun, predictRun } from '../index.node.js';

const { at, adapt } = toyTexts();

/** A copy of a model with the files of a pooling, as they are or changed. */
function withFiles(from: string, name: string, files: ReadonlyMap<string, unknown>): string {
  cpSync(from, at(name), { recursive: true });
  for (const [file, content] of files) {
    mkdirSync(join(at(name), file, '..'), { recursive: true });
    writeFileSync(join(at(name), file), JSON.stringify(content));
  }
  return at(name);
}

const json = (folder: string, file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
const length = (x: readonly number[]) => Math.hypot(...x);

test('by the first token and of any length, where the base says so, in run and export', async () => {
  const files = poolingFiles({ mode: 'cls', normalize: false }, 32);
  const base = withFiles(at('bert'), 'cls', files);
  await adapt({ data: at('alike'), base, epochs: 1, maxLength: 32, out: at('cls-run') });
  const { out } = await exportRun(at('cls-run'), { to: 'huggingface', out: at('cls-out') });
  for (const folder of [join(at('cls-run'), 'model'), out]) {
    expect(json(folder, 'modules.json')).toHaveLength(2);
    expect(json(folder, '1_Pooling/config.json')).toMatchObject({
      word_embedding_dimension: 32,
      pooling_mode_cls_token: true,
      pooling_mode_mean_tokens: false,
    });
    expect(json(folder, 'sentence_bert_config.json').max_seq_length).toBe(32);
  }
  expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain('that of its first token');
  const texts = ['ann saw the film', 'today'];
  const embedded = async (folder: string, asked = texts) =>
    (await predictRun(folder, asked)).predictions.map((p) => p.embedding!);
  const [first] = await embedded(out);
  expect(length(first!)).not.toBeCloseTo(1, 2);
  expect((await embedded(at('cls-run')))[0]).toEqual(first);
  // Its files decide, and nothing else: the same weights under the mean, of length 1.
  const mean = withFiles(out, 'mean', poolingFiles({ mode: 'mean', normalize: true }, 32));
  const [other] = await embedded(mean);
  expect(length(other!)).toBeCloseTo(1, 5);
  const cosine = first!.reduce((sum, v, i) => sum + v * other![i]!, 0) / length(first!);
  expect(cosine).toBeLessThan(0.999);
  // Cosines are those of any length.
  const [alike] = (await predictRun(out, [texts[0]!], { pair: texts[0]! })).predictions;
  expect(alike!.score).toBeCloseTo(1, 5);
});

test('other ways are refused by name, where embeddings are made', async () => {
  const modules = poolingFiles({ mode: 'mean', normalize: true }, 32);
  const refused = async (name: string, files: ReadonlyMap<string, unknown>, message: RegExp) => {
    const base = withFiles(at('bert'), name, new Map([...modules, ...files]));
    const made = { data: at('alike'), base, out: at(`${name}-run`) };
    await expect(adapt(made)).rejects.toThrow(message);
    expect(existsSync(at(`${name}-run`))).toBe(false);
    return base;
  };
  const config = (fields: object) => new Map([['1_Pooling/config.json', fields]]);
  const max = await refused('max', config({ pooling_mode: 'max' }), /pools its tokens by max/);
  const both = { pooling_mode_cls_token: true, pooling_mode_mean_tokens: true };
  await refused('both', config(both), /in several ways \(cls, mean\)/);
  const weighted = { pooling_mode_weightedmean_tokens: true };
  await refused('weighted', config(weighted), /by weightedmean/);
  const list = modules.get('modules.json') as object[];
  const dense = [...list, { idx: 3, path: '3_Dense', type: 'sentence_transformers.models.Dense' }];
  await refused('dense', new Map([['modules.json', dense]]), /has a module Dense/);
  // A classifier makes none.
  await adapt({ data: at('opinions'), base: max, epochs: 1, out: at('max-classes') });
});
