/** From samples to batches: what is asked for, what weighs nothing, and that padding changes no loss. */
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { tinyMarianTokenizer } from '../../test/support/tiny-marian-tokenizer.js';
import { createTokenizer, type Tokenizer, trainWordPiece } from '../data/index.js';
import { type HostTensor, hostTensor, input, toNumbers } from '../graph/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import { KeyedRandom } from '../util/index.js';
import {
  answersOf,
  causalLanguageModeling,
  maskedLanguageModeling,
  multiLabelClassification,
  promptedText,
  questionAnswering,
  questionWindows,
  type Row,
  scoreRange,
  sentenceSimilarity,
  singleLabelClassification,
  type TextItem,
  type TextPlace,
  type TextRow,
  type TextTask,
  textRegression,
  textToText,
  tokenClassification,
} from './index.js';

let tokenizer: Tokenizer;
beforeAll(() => {
  const text = 'ann saw the dull film today and bob left early because cleo met dan';
  tokenizer = createTokenizer({
    tokenizer: trainWordPiece([text, text], { vocabularySize: 60 }),
    config: {
      pad_token: '[PAD]',
      unk_token: '[UNK]',
      cls_token: '[CLS]',
      sep_token: '[SEP]',
      mask_token: '[MASK]',
    },
  });
});

const tools = () => ({ tokenizer, maxTokens: 32 });
const place = (
  tokens: number,
  decoderTokens = 0,
  random: TextPlace['random'] = null,
): TextPlace => ({
  tokens,
  decoderTokens,
  padToken: 0,
  inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
  random,
});

/** Loss and weight of a batch; logits are numbers that depend on row, place and class alone. */
async function lossOf(
  task: TextTask<never, never>,
  rows: readonly TextRow[],
  at: TextPlace,
  shape: (rows: number) => number[],
): Promise<{ loss: number; weight: number }> {
  const batch = { ...task.inputs(rows, at), ...task.targets(rows, at) };
  const placed = Object.fromEntries(
    Object.entries(batch).map(([name, t]) => [name, input(name, t.dtype, t.shape)]),
  );
  const size = shape(rows.length);
  const strides = size.map((_, axis) => size.slice(axis + 1).reduce((a, b) => a * b, 1));
  const count = size.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: count }, (_, i) => {
    const index = strides.map((stride, axis) => Math.floor(i / stride) % size[axis]!);
    return Math.sin(index.reduce((sum, v, axis) => sum + v * (1.3 + axis), 1));
  });
  const outputs = input('outputs', 'float32', size);
  const { loss, weight } = task.loss(outputs, placed);
  const feeds = new Map<ReturnType<typeof input>, HostTensor>([
    [outputs, hostTensor('float32', size, values)],
  ]);
  for (const [name, t] of Object.entries(batch)) feeds.set(placed[name]!, t);
  const [l, w] = await (await testEngine()).evaluate([loss, weight], feeds);
  return { loss: toNumbers(l!)[0]!, weight: toNumbers(w!)[0]! };
}

const erased = (task: unknown) => task as TextTask<never, never>;

describe('padding changes neither loss nor weight', () => {
  const text = { id: '1', text: 'ann saw the film', text2: 'bob left' };
  const tagged = { id: '1', words: ['ann', 'saw', 'unseen'], tags: [1, 0, 2] };
  const cases = {
    'single-label': {
      task: () => singleLabelClassification({ classes: 3, labelSmoothing: 0.1 }),
      sample: { ...text, label: 2 },
      shape: (rows: number) => [rows, 3],
    },
    'multi-label': {
      task: () => multiLabelClassification({ classes: 3 }),
      sample: { ...text, labels: [0, 2] },
      shape: (rows: number) => [rows, 3],
    },
    regression: {
      task: () => textRegression(),
      sample: { ...text, score: 0.3 },
      shape: (rows: number) => [rows, 1],
    },
    tags: {
      task: () => tokenClassification(['O', 'B-PER', 'I-PER']),
      sample: tagged,
      shape: (rows: number, tokens: number) => [rows, tokens, 3],
    },
    causal: {
      task: () => causalLanguageModeling(),
      sample: { id: '1', ids: Int32Array.of(7, 8, 9, 10) },
      shape: (rows: number, tokens: number) => [rows, tokens, 60],
    },
    prompted: {
      task: () => promptedText({ endToken: 3 }),
      sample: { id: '1', source: 'ann saw', target: 'the film' },
      shape: (rows: number, tokens: number) => [rows, tokens, 60],
    },
    translated: {
      task: () => textToText({ name: 'translation', decoderStart: 0, endToken: 3 }),
      sample: { id: '1', source: 'ann saw', target: 'the film' },
      shape: (rows: number, tokens: number) => [rows, tokens, 60],
    },
  };
  test.each(Object.entries(cases))('%s', async (_, { task: make, sample, shape }) => {
    const task = erased(make());
    const item = task.item(sample as never, tools());
    const short = await lossOf(task, [item], place(24, 24), (rows) => shape(rows, 24));
    const long = await lossOf(task, [item, null, null], place(32, 32), (rows) => shape(rows, 32));
    expect(short.weight).toBeGreaterThan(0);
    expect(long.weight).toBeCloseTo(short.weight, 5);
    expect(long.loss).toBeCloseTo(short.loss, 4);
  });
});

describe('label smoothing spreads a share of the target over all words or tags', () => {
  const words = { decoderStart: 0, endToken: 3, name: 'translation' } as const;
  const pair = (target: string) => ({ id: '1', source: 'ann saw', target });
  const tagged = (tags: number[]) => ({ id: '1', words: ['ann', 'saw'], tags });
  const block = (ids: number[]) => ({ id: '1', ids: Int32Array.from(ids) });
  const cases = {
    tags: {
      make: (labelSmoothing: number) => tokenClassification(['O', 'B-PER'], { labelSmoothing }),
      samples: [tagged([1, 0]), tagged([0, 1])],
      classes: 2,
    },
    causal: {
      make: (labelSmoothing: number) => causalLanguageModeling({ labelSmoothing }),
      samples: [block([7, 8, 9]), block([5, 6, 4])],
      classes: 60,
    },
    prompted: {
      make: (labelSmoothing: number) => promptedText({ endToken: 3, labelSmoothing }),
      samples: [pair('the film'), pair('film the')],
      classes: 60,
    },
    translated: {
      make: (labelSmoothing: number) => textToText({ ...words, labelSmoothing }),
      samples: [pair('the film'), pair('film the')],
      classes: 60,
    },
  };
  test.each(Object.entries(cases))('%s', async (_, { make, samples, classes }) => {
    const of = async (share: number, sample: object) => {
      const task = erased(make(share));
      const item = task.item(sample as never, tools());
      const made = await lossOf(task, [item], place(16, 16), (rows) => [rows, 16, classes]);
      return made.loss;
    };
    const [none, half, all] = [
      await of(0, samples[0]!),
      await of(0.5, samples[0]!),
      await of(1, samples[0]!),
    ];
    expect(half).toBeCloseTo((none + all) / 2, 4);
    // With all of it spread the right word is one among the others.
    expect(await of(1, samples[1]!)).toBeCloseTo(all, 4);
    expect(Math.abs((await of(0, samples[1]!)) - none)).toBeGreaterThan(1e-3);
  });
});

test('labels are learned and read at the first token of a word, whatever it is cut into', () => {
  const task = tokenClassification(['O', 'B-PER']);
  const words = ['ann', 'unpredictably', 'met', 'dan'];
  const item = task.item({ id: '1', words, tags: [1, 0, 0, 1] }, tools());
  const { wordIds } = tokenizer.encodeWords(words);
  expect(wordIds.length).toBeGreaterThan(6);
  for (const [at, label] of item.labels.entries()) {
    const first = wordIds[at] !== null && wordIds[at - 1] !== wordIds[at];
    expect(label >= 0).toBe(first);
  }
  const truth = task.truth({ id: '1', words, tags: [1, 0, 0, 1] }, item);
  const row: Row = {
    shape: [item.ids.length],
    data: Float32Array.from(item.labels, (v) => Math.max(0, v)),
  };
  expect(task.score({ rows: [row], truth: [truth] })).toMatchObject({ f1: 1, accuracy: 1 });
});

test('words that were cut off are read as outside, and cost a tagger its score', () => {
  const task = tokenClassification(['O', 'B-PER']);
  const sample = { id: '1', words: ['the', 'film', 'ann'], tags: [0, 0, 1] };
  const item = task.item(sample, { tokenizer, maxTokens: 4 });
  expect(item.truncated).toBeGreaterThan(0);
  const truth = task.truth(sample, item);
  expect(truth.places.at(-1)).toBe(-1);
  const row: Row = { shape: [4], data: new Float32Array(4).fill(1) };
  expect(task.score({ rows: [row], truth: [truth] }).recall).toBe(0);
});

describe('a word without a token keeps its place among the others, and is read as outside', () => {
  const tags = ['O', 'B-PER', 'B-LOC'];
  const task = tokenClassification(tags);
  // All of them are cleaned away or are spaces to a WordPiece tokenizer.
  const empty = ['\u200b', '\u00ad', '\ufe0f', '\u00a0', '\u2028'];
  /** The places, and the score of a model that is right about every token. */
  const read = (words: string[], labels: number[], maxTokens = 32) => {
    const sample = { id: '1', words, tags: labels };
    const item = task.item(sample, { tokenizer, maxTokens });
    const truth = task.truth(sample, item);
    const data = Float32Array.from(item.labels, (label) => Math.max(0, label));
    return {
      places: [...truth.places],
      ...task.score({ rows: [{ shape: [data.length], data }], truth: [truth] }),
    };
  };
  test.each(empty.map((c) => [c.charCodeAt(0).toString(16), c]))('U+%s', (_, none) => {
    const { wordIds } = tokenizer.encodeWords(['ann', none, 'met', 'dan']);
    const [met, dan] = [wordIds.indexOf(2), wordIds.indexOf(3)];
    expect(read(['ann', none, 'met', 'dan'], [1, 0, 0, 2])).toMatchObject({
      places: [1, -1, met, dan],
      f1: 1,
      accuracy: 1,
    });
    expect(read([none, 'ann'], [0, 1]).places).toEqual([-1, 1]);
    expect(read(['ann', 'dan', none], [1, 2, 0])).toMatchObject({ f1: 1, accuracy: 1 });
    // What is cut off at the end is missing there, not in the middle.
    const cut = read(['ann', none, 'met', 'dan'], [1, 0, 0, 2], met + 2);
    expect(cut.places).toEqual([1, -1, met, -1]);
    expect(cut).toMatchObject({ precision: 1, recall: 0.5 });
  });
});

test('pieces are told apart by the scheme that the tags are of', () => {
  const tags = ['O', 'U-PER', 'B-LOC', 'L-LOC'];
  const words = ['ann', 'dan', 'the', 'film', 'the', 'film'];
  const right = [1, 1, 2, 3, 2, 3];
  const scored = (found: number[]) => {
    const task = tokenClassification(tags);
    const sample = { id: '1', words, tags: right };
    const truth = task.truth(sample, task.item(sample, tools()));
    const data = new Float32Array(32);
    for (const [word, at] of truth.places.entries()) data[at] = found[word]!;
    return task.score({ rows: [{ shape: [32], data }], truth: [truth] });
  };
  expect(scored(right)).toEqual({ f1: 1, precision: 1, recall: 1, accuracy: 1 });
  // Three of the four pieces; read without the scheme there would be two, one of them right.
  const { recall, precision } = scored([1, 0, 2, 3, 2, 3]);
  expect([precision, recall]).toEqual([1, 0.75]);
});

test('masking: a share of the words, by its recipe, the same for one key, none of the special ones', () => {
  const special = new Set([0, 1, 2, 3, 4]);
  const task = maskedLanguageModeling({ maskToken: 4, vocabularySize: 60, specialTokens: special });
  const ids = Int32Array.from({ length: 400 }, (_, i) => (i % 20 === 0 ? 2 : 5 + (i % 50)));
  const item = task.item({ id: '1', ids }, tools());
  const at = (epoch: number) => place(400, 0, (row) => KeyedRandom.of(1).fold(epoch).fold(row));
  const read = (epoch: number) => ({
    ...task.inputs([item], at(epoch)),
    ...task.targets([item], at(epoch)),
  });
  const first = read(0);
  expect(read(0)).toEqual(first);
  expect(read(1)[TEXT_INPUTS.ids]).not.toEqual(first[TEXT_INPUTS.ids]);
  const hidden = first[TEXT_INPUTS.ids]!.data as Int32Array;
  const asked = [...(first[TEXT_INPUTS.asked]!.data as Int32Array)];
  const weights = first.weights!.data as Float32Array;
  const count = weights.filter((w) => w > 0).length;
  expect(count).toBe(Math.round(0.15 * 380));
  const places = asked.slice(0, count);
  expect(new Set(places).size).toBe(count);
  for (const [i, place_] of places.entries()) {
    expect(special.has(ids[place_]!)).toBe(false);
    expect(first.targets!.data[i]).toBe(ids[place_]);
  }
  const changed = [...ids.keys()].filter((i) => hidden[i] !== ids[i]);
  expect(changed.every((i) => places.includes(i))).toBe(true);
  const masked = places.filter((i) => hidden[i] === 4).length / count;
  expect(masked).toBeGreaterThan(0.6);
  expect(masked).toBeLessThan(0.95);
  expect(places.some((i) => hidden[i] === ids[i])).toBe(true);
});

test('the decoder reads the start token and then what it has to say, which ends', () => {
  const task = textToText({ name: 'translation', decoderStart: 9, endToken: 3 });
  const item = task.item({ id: '1', source: 'ann saw', target: 'the film' }, tools());
  const labels = [...item.labels];
  expect(labels.at(-1)).toBe(3);
  expect([...item.decoderIds!]).toEqual([9, ...labels.slice(0, -1)]);
});

test('a target is cut by the tokenizer of its language', async () => {
  const task = textToText({ name: 'translation', decoderStart: 9, endToken: 0 });
  const marian = await tinyMarianTokenizer(['ann saw', 'the film']);
  const sample = { id: '1', source: 'ann saw', target: 'ann saw' };
  const { ids, labels } = task.item(sample, { tokenizer: marian, maxTokens: 32 });
  const tokens = (list: Iterable<number>) => Array.from(list, (id) => marian.tokenOf(id));
  expect(tokens(ids)).toEqual(['▁ann', '▁saw', '</s>']);
  expect(tokens(labels)).toEqual(['▁a', 'nn', '▁s', 'aw', '</s>']);
});

test('of a prompt and its completion only the completion is learned, its end too', () => {
  const task = promptedText({ endToken: 3 });
  const item = task.item({ id: '1', source: 'ann saw', target: 'the film' }, tools());
  const prompt = item.labels[0]!;
  const { targets, weights } = task.targets([item], place(16));
  const learned = [...(weights!.data as Float32Array).entries()].filter(([, w]) => w > 0);
  const words = learned.map(([i]) => Number(targets!.data[i]));
  expect(words).toEqual([...item.ids.subarray(prompt)]);
  expect(words.at(-1)).toBe(3);
});

test('windows of a context: every answer is found again in each window that holds it', () => {
  const word = fc.constantFrom('ann', 'saw', 'the', 'film', 'weed', 'dan');
  fc.assert(
    fc.property(fc.array(word, { minLength: 3, maxLength: 60 }), fc.nat(), (words, pick) => {
      const at = pick % words.length;
      const context = words.join(' ');
      const start = words.slice(0, at).join(' ').length + (at > 0 ? 1 : 0);
      const answers = [{ text: words[at]!, start }];
      const sample = { id: '1', question: 'who saw ?', context, answers };
      const windows = questionWindows(sample, tokenizer, 20);
      expect(windows.every((w) => w.ids.length <= 20)).toBe(true);
      expect(windows.some((w) => w.end > 0)).toBe(true);
      for (const w of windows) {
        if (w.end === 0) continue;
        const from = w.spans[2 * (w.start - w.from)];
        const to = w.spans[2 * (w.end - w.from) + 1];
        expect(context.slice(from, to)).toBe(words[at]);
      }
      // A model that is sure of the right tokens gives the right answer.
      const rows = windows.map((w): Row => {
        const data = new Float32Array(2 * w.ids.length);
        data[2 * w.start] = w.end ? 9 : 0.1;
        data[2 * w.end + 1] = w.end ? 9 : 0.1;
        return { shape: [w.ids.length, 2], data };
      });
      expect([...answersOf(windows, rows).values()]).toEqual([words[at]]);
      expect(questionAnswering().score({ rows, truth: windows }).exactMatch).toBe(1);
    }),
    { numRuns: 60 },
  );
});

describe('a question has no answer', () => {
  const sample = (answers: { text: string; start: number }[]) => ({
    id: '1',
    question: 'who saw ?',
    context: 'ann saw the film. bob left early because cleo met dan',
    answers,
  });
  const answered = [{ text: 'ann', start: 0 }];
  /** Rows that say "nowhere" a little louder than "ann". */
  const read = (answers: { text: string; start: number }[], unanswerable: boolean) => {
    const windows = questionWindows(sample(answers), tokenizer, 20);
    expect(windows.length).toBeGreaterThan(1);
    const marks = questionWindows(sample(answered), tokenizer, 20);
    const rows = marks.map(({ ids, start, end }): Row => {
      const data = new Float32Array(2 * ids.length);
      data[2 * start] = 1;
      data[2 * end + 1] = 1;
      data.fill(2, 0, 2);
      return { shape: [ids.length, 2], data };
    });
    const { score } = questionAnswering({ unanswerable });
    const [answer] = answersOf(windows, rows, { unanswerable }).values();
    return { answer, ...score({ rows, truth: windows }) };
  };
  test('where the model has learned that, whatever is true of the questions that are asked', () => {
    expect(read([], true)).toMatchObject({ answer: '', f1: 1, noAnswerF1: 1 });
    expect(read(answered, true)).toEqual({ answer: '', f1: 0, exactMatch: 0 });
    expect(read([], false)).toMatchObject({ answer: 'ann', f1: 0, noAnswerExactMatch: 0 });
    expect(read(answered, false)).toMatchObject({ answer: 'ann', f1: 1 });
  });
});

test('an answer has no space of the tokens that hold one', () => {
  const context = 'saw ann today';
  const [window] = questionWindows(
    { id: '1', question: 'who ?', context, answers: [{ text: 'ann', start: 4 }] },
    tokenizer,
    20,
  );
  // As byte-level tokenizers give them with trim_offsets false.
  const spans = window!.spans.map((at, i) => (i % 2 === 0 && at > 0 ? at - 1 : at));
  const first = 2 * (window!.start - window!.from);
  expect(context.slice(spans[first], spans[first + 1])).toMatch(/^ a/);
  const data = new Float32Array(2 * window!.ids.length);
  data[2 * window!.start] = 9;
  data[2 * window!.end + 1] = 9;
  const row: Row = { shape: [window!.ids.length, 2], data };
  expect([...answersOf([{ ...window!, spans }], [row]).values()]).toEqual(['ann']);
});

describe('scores of likeness', () => {
  test('of another range than a cosine are learned as 0 to 1', () => {
    const range = scoreRange([2.5, 0.1, 4.6]);
    expect(range).toEqual({ low: 0.1, high: 4.6 });
    const task = sentenceSimilarity(true, { range });
    const of = (score: number) => {
      const sample = { id: '1', text: 'ann saw', text2: 'bob left', score };
      const item = task.item(sample, tools());
      expect(task.truth(sample, item)).toBe(score);
      return Number(task.targets([item], place(16)).scores!.data[0]);
    };
    expect(of(0.1)).toBe(0);
    expect(of(4.6)).toBeCloseTo(1, 6);
    expect(of(2.35)).toBeCloseTo(0.5, 6);
  });

  test('that are cosines stay as they are', () => {
    expect(scoreRange([0, 0.3, 1])).toBeNull();
    expect(scoreRange([-1, 0.9])).toBeNull();
    expect(scoreRange([])).toBeNull();
  });

  test('that are all the same say nothing', () => {
    expect(() => scoreRange([3, 3])).toThrow(/Every score is 3/);
  });
});

test('sentences: the loss is that of a softmax over the batch, and padding is nobody', async () => {
  const task = sentenceSimilarity(false);
  const item = (a: string, b: string): TextItem =>
    task.item({ id: '1', text: a, text2: b }, tools());
  const rows: TextRow[] = [item('ann saw', 'bob left'), item('the film', 'dan met cleo'), null];
  const at = place(16);
  const batch = { ...task.inputs(rows, at), ...task.targets(rows, at) };
  const width = 4;
  const hidden = hostTensor(
    'float32',
    [6, 16, width],
    Array.from({ length: 6 * 16 * width }, (_, i) => Math.cos(i * i)),
  );
  const mask = batch[TEXT_INPUTS.mask]!;
  const unit = Array.from({ length: 6 }, (_, r) => {
    const mean = Array.from({ length: width }, (_, c) => {
      let [sum, count] = [0, 0];
      for (let t = 0; t < 16; t++) {
        if (!mask.data[r * 16 + t]) continue;
        sum += Number(hidden.data[(r * 16 + t) * width + c]);
        count++;
      }
      return sum / count;
    });
    const norm = Math.hypot(...mean);
    return mean.map((v) => v / norm);
  });
  const score = (a: number, b: number) =>
    20 * unit[a]!.reduce((s, v, c) => s + v * unit[3 + b]![c]!, 0);
  const want = [0, 1].reduce(
    (sum, a) => sum - score(a, a) + Math.log(Math.exp(score(a, 0)) + Math.exp(score(a, 1))),
    0,
  );
  const placed = Object.fromEntries(
    Object.entries(batch).map(([name, t]) => [name, input(name, t.dtype, t.shape)]),
  );
  const x = input('hidden', 'float32', hidden.shape);
  const { loss, weight } = task.loss(x, placed);
  const feeds = new Map([[x, hidden]]);
  for (const [name, t] of Object.entries(batch)) feeds.set(placed[name]!, t);
  const [l, w] = await (await testEngine()).evaluate([loss, weight], feeds);
  expect(toNumbers(w!)).toEqual([2]);
  expectClose('loss', l!, { shape: [], data: [want] }, { rtol: 1e-4, atol: 1e-5 });
});
