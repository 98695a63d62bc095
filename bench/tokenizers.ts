/**
 * `npm run bench:tokenizers`: every text of shared/data through our tokenizers and the native ones, ids,
 * ranges and word ids compared; then speed beside @huggingface/tokenizers, which gives ids only.
 */
import * as library from '@huggingface/tokenizers';
import { createTokenizer } from '../src/data/tokenizers/index.js';
import {
  corpora,
  native,
  realTokenizers,
  reference,
  sharedData,
} from '../test/support/tokenizer-reference.js';
import { benchOptions, duel, markdown, type Row, sideOf } from './harness.js';

const options = benchOptions(process.argv.slice(2));
const say = (line: string) => (options.json ? console.error(line) : console.log(line));
/** Texts of a speed row; every 40th, so that all corpora and languages are among them. */
const EVERY = 40;
/** Our ranges and word ids may cost as much again as the library's bare ids. */
const GOAL = 0.5;

const { Tokenizer: Library } = library as unknown as {
  Tokenizer: new (json: object, config: object) => { encode(text: string): { ids: number[] } };
};

interface Count {
  texts: number;
  tokens: number;
  different: number;
}

/** Compares all texts of a corpus; the first that differs is shown. */
async function compare(
  items: readonly (string | readonly string[])[],
  ours: ReturnType<typeof createTokenizer>,
  theirs: ReturnType<typeof reference>,
): Promise<Count> {
  const count: Count = { texts: 0, tokens: 0, different: 0 };
  for (const item of items) {
    const isText = typeof item === 'string';
    const { truncated: _, ...encoding } = isText
      ? ours.encode(item)
      : ours.encodeWords(item, { addSpecialTokens: false });
    const expected = isText ? await theirs.encode(item) : await theirs.encodeWords(item);
    count.texts++;
    count.tokens += encoding.ids.length;
    const same = Object.entries(expected).every(
      ([key, value]) =>
        JSON.stringify(value) === JSON.stringify(encoding[key as keyof typeof encoding]),
    );
    if (same) continue;
    if (count.different++ === 0) say(`  differs: ${JSON.stringify(item).slice(0, 200)}`);
  }
  return count;
}

async function main(): Promise<void> {
  if (sharedData === null || native === null) {
    throw new Error('This needs ../shared/data and the native package tokenizers (npm ci).');
  }
  const rows: Row[] = [];
  let different = 0;
  for (const { name, make } of realTokenizers(sharedData)) {
    if (!name.toLowerCase().includes(options.only.toLowerCase())) continue;
    const json = make();
    const ours = createTokenizer({ tokenizer: json });
    const theirs = reference(json);
    const sample: string[] = [];
    for (const corpus of corpora(sharedData)) {
      const items = corpus.read();
      const found = await compare(items, ours, theirs);
      different += found.different;
      say(
        `${name}, ${corpus.name}: ${found.texts} texts, ${found.tokens} tokens, ${found.different} different`,
      );
      sample.push(...items.filter((t, i): t is string => i % EVERY === 0 && typeof t === 'string'));
    }
    const peer = new Library(json, {});
    const tokens = sample.reduce((n, text) => n + ours.ids(text).length, 0);
    const row = await duel(
      { name, goal: GOAL, note: `${sample.length} texts, ${tokens} tokens` },
      sideOf(async () => sample.forEach((text) => void ours.encode(text))),
      sideOf(async () => sample.forEach((text) => void peer.encode(text))),
      { calls: 1 },
    );
    rows.push(row);
    const rate = (ms: number) => `${(tokens / ms / 1000).toFixed(2)} M tokens/s`;
    say(`${name}: ours ${rate(row.ours)}, @huggingface/tokenizers ${rate(row.peer!)}`);
  }
  if (options.json) console.log(JSON.stringify({ rows }));
  else console.log(`\n${markdown(rows)}`);
  if (different > 0) process.exitCode = 1;
}

await main();
