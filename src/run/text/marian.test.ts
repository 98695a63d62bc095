/** Whole runs of a Marian with OPUS-MT's ids and its two SentencePiece models. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tinyMarianTokenizer } from '../../../test/support/tiny-marian-tokenizer.js';
import { writeTinyTextBase } from '../../../test/support/tiny-text-base.js';
import { csv, NAMES, toyTexts, VERBS } from '../../../test/support/toy-texts.js';
import { loadTokenizer } from '../../data/index.js';
import { openCheckpointFolder } from '../../io/index.node.js';
import { exportRun, predictRun, streamPredictions } from '../index.node.js';

const { at, write, adapt } = toyTexts();

test('learns, and is carried into the run and its export with both models', async () => {
  const pairs = NAMES.flatMap((name) => VERBS.map((verb) => [`${name} ${verb}`, 'dan left it']));
  const texts = pairs.flat();
  await writeTinyTextBase(at('marian'), texts, 'marian');
  const config = JSON.parse(readFileSync(join(at('marian'), 'config.json'), 'utf8'));
  expect(config.eos_token_id).toBe(0);
  const data = write('swapped', {
    'train.csv': csv('source,target', [...pairs, ...pairs, ...pairs]),
    'valid.csv': csv('source,target', pairs),
  });
  const made = { data, base: at('marian'), lr: 0.01, epochs: 10, out: at('run') };
  const { summary } = await adapt({ ...made, task: 'translation' });
  expect(summary.metrics.perplexity).toBeLessThan(1.5);
  // Few steps suffice for one answer to everything.
  const { predictions } = await predictRun(at('run'), ['ann met'], { maxNewTokens: 12 });
  expect(predictions[0]!.output).toBe('dan left it');
  let streamed = '';
  for await (const { piece } of streamPredictions(at('run'), ['ann met'], { maxNewTokens: 12 })) {
    streamed += piece;
  }
  expect(streamed).toBe('dan left it');

  const expected = await tinyMarianTokenizer(texts);
  const folder = at('exported');
  await exportRun(at('run'), { to: 'huggingface', out: folder });
  for (const place of [join(at('run'), 'model'), folder]) {
    expect(readdirSync(place)).toEqual(
      expect.arrayContaining(['source.spm', 'target.spm', 'vocab.json', 'tokenizer.json']),
    );
    const tokenizer = await loadTokenizer(openCheckpointFolder(place));
    for (const text of ['ann met', 'left dan']) {
      expect(tokenizer.ids(text)).toEqual(expected.ids(text));
      expect(tokenizer.target!.ids(text)).toEqual(expected.target!.ids(text));
      expect(tokenizer.ids(text)).not.toEqual(tokenizer.target!.ids(text));
    }
  }
});
