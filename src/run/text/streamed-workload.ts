/** Language modelling on a file that is not held in memory. */
import type { Skipped } from '../../data/index.js';
import { openTokenFile, type TokenFile } from '../../data/index.node.js';
import { ConfigError, DataError } from '../../errors.js';
import type { TaskDefinition } from '../../tasks/index.js';
import { writeReport } from '../../train/index.node.js';
import type { FitChoices } from '../options.js';
import { reportFrame } from '../report-parts.js';
import type { Workload, WorkloadContext } from '../workload.js';
import { loadHead, type TextBase, tokenLimit } from './base.js';
import { checkFits } from './check-choices.js';
import { checkNetwork, networkOf } from './network.js';
import { documentEnd, languageTask } from './plan.js';
import { predictTextPart } from './predictions.js';
import { ReadTexts } from './read-texts.js';
import { saveTextModel } from './save-model.js';
import { BlockStream, roomOf, sizedTexts, tokenizedTexts } from './token-stream.js';

/** Bytes from which on texts are tokenized into a file: as ids and strings they take some ten times that. */
const STREAMED_BYTES = 64 * 1024 * 1024;
/** Share of the blocks that is held out, at the end, and how many at most. */
const VALID_SHARE = 0.02;
const MOST_VALID = 1000;

/**
 * Whether a run learns a language from files that are too large to be held. Where nobody named the task, plain text
 * says it; what a table holds is known only when it is read.
 */
export async function isStreamed(
  { data, task }: FitChoices,
  taskKnown: boolean,
  bytes = STREAMED_BYTES,
): Promise<boolean> {
  if (taskKnown && task !== 'language-modeling') return false;
  // What is wrong with the data is told of by who reads it.
  const files = await sizedTexts(data).catch(() => []);
  const whole = files.every(
    ({ part, label }) => label === undefined && (part ?? 'train') === 'train',
  );
  const plain = files.every(({ ending }) => ending === 'txt');
  return whole && (taskKnown || plain) && files.reduce((sum, { size }) => sum + size, 0) > bytes;
}

/** How many blocks are held out. @throws ConfigError for a share that leaves nothing */
function validBlocks(blocks: number, { valid }: FitChoices): number {
  if (typeof valid === 'string') {
    throw new ConfigError(
      'A file of this size is validated on its own end: give a share by --valid, or leave it out.',
      { valid },
    );
  }
  return Math.min(MOST_VALID, Math.floor(blocks * (valid ?? VALID_SHARE)));
}

/** Tokens that are looked at for what the base does not know: what a script is shows at once. */
const LOOKED_AT = 65_536;

/** What there is to say of the first tokens of a file. */
async function unknownNotes(path: string, base: TextBase, maxTokens: number): Promise<string[]> {
  const file = await openTokenFile(path);
  try {
    const read = new ReadTexts(base, { maxTokens });
    const ids = Int32Array.from(await file.read(0, Math.min(LOOKED_AT, file.tokens)));
    read.add({ ids, truncated: 0 });
    return read.notes();
  } finally {
    await file.close();
  }
}

/**
 * @param skipped rows that are known to hold no text
 * @throws DataError when the file has less than two blocks
 */
export async function openStreamedWorkload(
  asked: FitChoices,
  base: TextBase,
  { engine, listener, signal }: Pick<WorkloadContext, 'engine' | 'listener' | 'signal'>,
  skipped: readonly Skipped[] = [],
): Promise<Workload> {
  const { tokenizer, config, definition } = base;
  const choices: FitChoices = { ...asked, task: 'language-modeling' };
  const language = languageTask(choices, base);
  const texts = await tokenizedTexts(
    choices.data,
    tokenizer,
    { lead: language.lead, end: documentEnd(tokenizer) },
    (done, total) => {
      signal?.throwIfAborted();
      listener({ type: 'data', done, total, of: 'bytes' });
    },
  );
  const maxTokens = tokenLimit(base, choices.maxLength);
  checkFits({ kind: 'plain', task: 'language-modeling' }, choices);
  const layout = { ...language, tokens: maxTokens };
  const blocks = Math.floor(texts.tokens / roomOf(layout));
  const held = validBlocks(blocks, choices);
  if (blocks - held < 1) {
    throw new DataError(
      `${choices.data} has ${texts.tokens} tokens, less than a block of ${maxTokens}.`,
      { tokens: texts.tokens, maxTokens },
      { code: 'no-data' },
    );
  }
  const notes = await unknownNotes(texts.path, base, maxTokens);
  for (const text of notes) listener({ type: 'note', text });
  const stream = (file: TokenFile, part: string, first: number, count: number) =>
    new BlockStream({
      ...layout,
      file,
      fingerprint: texts.fingerprint,
      part,
      first,
      count,
      batchSize: choices.batch,
      padToken: config.padToken ?? tokenizer.special.pad ?? 0,
      inputs: definition.inputs,
      seed: choices.seed,
    });
  const load = () => loadHead(base, { head: language.task.head, seed: choices.seed });
  const loaded = await load();
  checkNetwork(loaded, choices);
  const parts = { train: [], valid: [], test: [] };
  const task = language.task as unknown as TaskDefinition;
  const plan = { task, parts, head: { head: language.task.head }, unit: 'blocks' };
  return {
    task,
    choices,
    data: {
      unit: 'blocks',
      classes: [],
      train: blocks - held,
      valid: held,
      test: 0,
      split: `the last ${held} of ${blocks} blocks of ${maxTokens} tokens held out`,
      skipped,
      ...(notes.length > 0 ? { notes } : {}),
      fingerprint: `${texts.fingerprint}:${maxTokens}:${held}`,
    },
    model: {
      modelType: definition.modelType,
      maxTokens,
      source: { path: base.path, ...(base.license ? { license: base.license } : {}) },
    },
    prepare: async (fresh) =>
      networkOf(fresh === (choices.method === 'scratch') ? loaded : await load(), choices, fresh),
    async streams() {
      const file = await openTokenFile(texts.path);
      return {
        train: stream(file, 'train', 0, blocks - held),
        valid: held > 0 ? stream(file, 'valid', blocks - held, held) : null,
        test: null,
        close: () => file.close(),
      };
    },
    predict: (network, weights, part) =>
      predictTextPart(
        engine,
        { network, weights, loaded, plan: plan as never, base, maxTokens },
        part,
      ),
    save: (path, _network, weights) => saveTextModel(path, loaded, tokenizer, weights),
    report: (folder, record) =>
      writeReport(folder.report, reportFrame(folder, record, held > 0 ? 'valid' : 'train')),
  };
}
