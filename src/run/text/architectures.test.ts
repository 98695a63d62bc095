/** Every architecture goes through whole runs of what it can do: it learns, answers, is exported, and serves as a base again. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeTinyTextBase } from '../../../test/support/tiny-text-base.js';
import { csv, NAMES, opinions, pick, toyTexts, VERBS } from '../../../test/support/toy-texts.js';
import { softwareVulkan, useSoftwareVulkan } from '../../../test/support/vulkan.js';
import { exportRun, predictRun } from '../index.node.js';

const { at, write, adapt } = toyTexts();

const ENCODERS = ['distilbert', 'roberta', 'xlm-roberta'];
const DECODERS = ['llama', 'qwen2', 'mistral'];
const TO_TEXT = ['mt5', 'bart', 'marian'];

beforeAll(async () => {
  const texts = opinions(40, 'a').map(([text]) => `${text} ${NAMES.join(' ')} ${VERBS.join(' ')}`);
  for (const type of [...ENCODERS, ...DECODERS, ...TO_TEXT]) {
    await writeTinyTextBase(at(type), texts, type);
  }
  const prompts = Array.from({ length: 32 }, (_, i) => [
    `${pick(NAMES, `g${i}`)} ${pick(VERBS, `h${i}`)}`,
    `the ${pick(NAMES, `g${i}`)}`,
  ]);
  write('few opinions', {
    'train.csv': csv('text,label', opinions(16, 'k')),
    'valid.csv': csv('text,label', opinions(8, 'j')),
  });
  const pairs = Array.from({ length: 16 }, (_, i) => {
    const name = pick(NAMES, `x${i}`);
    return [`${name} saw`, `saw ${name}`];
  });
  write('few pairs', { 'train.csv': csv('source,target', pairs) });
  write('prompts', { 'train.csv': csv('prompt,completion', prompts) });
});

/** A set, and what a model of it is asked. */
const ASKED: Readonly<Record<string, readonly [string, object?]>> = {
  opinions: ['the film was lovely today'],
  names: ['the ann met dan today'],
  questions: ['who ?', { context: 'the film was today bob left it. the film was' }],
  alike: ['ann saw the film'],
  prompts: ['ann saw'],
  pairs: ['ann saw'],
};

const cases = [
  ...ENCODERS.flatMap((base) => ['opinions', 'names', 'questions', 'alike'].map((d) => [base, d])),
  ...DECODERS.flatMap((base) => ['opinions', 'names', 'prompts', 'alike'].map((d) => [base, d])),
  ...TO_TEXT.map((base) => [base, 'pairs']),
  ['bart', 'opinions'],
] as [string, string][];

describe('whole runs', () => {
  test.each(cases)('of %s on %s', async (base, data) => {
    const out = at(`${base}-${data}`);
    const made = { data: at(data), base: at(base), epochs: 1, maxLength: 32 };
    const { summary } = await adapt({ ...made, out });
    for (const value of Object.values(summary.metrics)) expect(Number.isFinite(value)).toBe(true);
    const [text, more] = ASKED[data]!;
    const writes = ['prompts', 'pairs'].includes(data);
    const asked = { ...more, ...(writes ? { maxNewTokens: 4 } : {}) };
    const { predictions } = await predictRun(out, [text], asked);
    const folder = `${out}-shared`;
    await exportRun(out, { to: 'huggingface', out: folder });
    // What was exported is a base that knows the same: a pass at a rate of nearly nothing changes no answer.
    const again = at(`${base}-${data}-again`);
    await adapt({ ...made, base: folder, lr: 1e-12, weightDecay: 0, out: again });
    const [first] = (await predictRun(again, [text], asked)).predictions;
    expect(rounded(first)).toEqual(rounded(predictions[0]));
  });

  test.each(ENCODERS)('of %s that guesses words', async (base) => {
    const made = { data: at('lines'), base: at(base), epochs: 1, maxLength: 32 };
    const { summary } = await adapt({ ...made, out: at(`${base}-lines`) });
    expect(summary.metrics.perplexity).toBeLessThan(400);
  });
});

const driver = softwareVulkan();
describe.skipIf(!driver.path)(`on webgpu${driver.path ? '' : `: ${driver.reason}`}`, () => {
  const restore = useSoftwareVulkan();
  afterAll(restore);

  test.each([
    ['roberta', 'few opinions'],
    ['qwen2', 'few opinions'],
    ['bart', 'few pairs'],
    ['marian', 'few pairs'],
  ])('%s learns what it learns on the CPU', async (base, data) => {
    const made = { data: at(data), base: at(base), epochs: 1, maxLength: 16 };
    const { summary: want } = await adapt({ ...made, out: at(`cpu-${base}`) });
    const { summary: got } = await adapt({ ...made, device: 'webgpu', out: at(`gpu-${base}`) });
    expect(Object.keys(got.metrics)).toEqual(Object.keys(want.metrics));
    for (const [name, value] of Object.entries(want.metrics)) {
      expect(got.metrics[name], name).toBeCloseTo(value, 3);
    }
  });
});

/** Numbers to four digits, at any depth. */
function rounded(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, v) => (typeof v === 'number' ? Number(v.toFixed(4)) : v)),
  );
}
