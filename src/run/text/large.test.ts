/** A run on data that is not held in memory is the run on the same data in memory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resultOf } from '../../../test/support/cli.js';
import { csv, opinions, toyTexts } from '../../../test/support/toy-texts.js';
import { readTextDataset } from '../../data/index.node.js';
import { isLazy } from '../../util/index.js';
import { evaluateRun, type RunListener } from '../index.node.js';

const { at, write, adapt } = toyTexts();

const ROWS = opinions(300, 'large');
/** Blanks within a text are nothing to its tokens, and make the file larger than what is held. */
const BLANKS = ' '.repeat(60_000);
const spread = ROWS.map(([text, label]) => [text!.replace(' was ', ` was${BLANKS} `), label!]);

test('to the bit, and goes on after a stop; evaluation and report read it too', async () => {
  const small = write('small', { 'a.csv': csv('text,label', ROWS) });
  const large = write('large', { 'a.csv': csv('text,label', spread) });
  expect(isLazy((await readTextDataset(large)).train)).toBe(true);
  expect(isLazy((await readTextDataset(small)).train)).toBe(false);
  const options = { base: at('bert'), epochs: 2, maxLength: 16, augment: 'light' };
  // The same part to validate on: which texts are drawn depends on the texts.
  const held = await adapt({ ...options, data: small, valid: small, out: at('held') });
  const stop = new AbortController();
  const listener: RunListener = (e) => e.type === 'step' && e.step === 9 && stop.abort();
  const made = { ...options, data: large, valid: large, out: at('stored') };
  const broken = { ...made, checkpointEvery: 1, listener, signal: stop.signal };
  expect((await adapt(broken)).interrupted).toBe(true);
  const { summary } = await adapt({ resume: true, out: at('stored') });
  expect(summary.metrics).toEqual(held.summary.metrics);
  const [a, b] = ['stored', 'held'].map((name) => resultOf(at(name)));
  expect(a).toEqual(b);
  const report = readFileSync(join(at('stored'), 'report.html'), 'utf8');
  expect(report).toContain('the film was');
  expect((await evaluateRun(at('stored'), large)).metrics).toEqual(
    (await evaluateRun(at('held'), small)).metrics,
  );
});
