/** Texts and a text base as the workload of a run. */
import type { AnyTextDataset, TextPairSample } from '../../data/index.js';
import { readTextDataset } from '../../data/index.node.js';
import type { LoadedTextModel } from '../../models/index.js';
import { poolingFiles, type ScoreRange, type TaskDefinition } from '../../tasks/index.js';
import type { FitChoices } from '../options.js';
import { leftOutText } from '../summary.js';
import type { Workload, WorkloadContext } from '../workload.js';
import { withAddedTokens } from './added-tokens.js';
import { paraphrases } from './back-translation.js';
import { loadHead, openTextBase, type TextBase, tokenLimit } from './base.js';
import { checkMethod } from './check-choices.js';
import { textDataRecord } from './data-record.js';
import { checkNetwork, networkOf } from './network.js';
import { endToken, planText, type TextPlan } from './plan.js';
import { predictTextPart, writes } from './predictions.js';
import { ReadTexts } from './read-texts.js';
import { writeTextReport } from './report.js';
import { saveTextModel } from './save-model.js';
import { isStreamed, openStreamedWorkload } from './streamed-workload.js';
import { streamsOf } from './streams.js';
import { scoringNotes, writingNotes } from './written.js';

/** A model whose configuration names what ends its completions, where the base's does not. */
function ending(loaded: LoadedTextModel, { task }: TextPlan, base: TextBase): LoadedTextModel {
  const { config } = loaded;
  if (task.name !== 'text-generation' || config.eosTokens.length > 0) return loaded;
  return { ...loaded, config: { ...config, eosTokens: [endToken(base)] } };
}

/** Says that labels which may be ratings are taken as classes; null where they are no whole numbers, or two only. */
function ratingsText({ kind, classes }: AnyTextDataset): string | null {
  if (kind !== 'single-label' || classes.length < 3) return null;
  if (!classes.every((label) => /^-?\d+$/.test(label))) return null;
  const some = classes.length > 6 ? [...classes.slice(0, 5), '...'] : classes;
  return `the labels are whole numbers (${some.join(', ')}) and taken as ${classes.length} classes; if they are ratings, --problem regression learns them as numbers`;
}

/** Says what scores stand for that are no cosines. */
function scoresText({ low, high }: ScoreRange): string {
  return `the scores lie from ${low} to ${high}; a model of likeness gives cosines, so ${low} stands for 0 and ${high} for 1`;
}

/** @throws the signal's reason when it is aborted on the way */
export async function openTextWorkload(
  asked: FitChoices,
  { engine, listener, signal, taskKnown, taskNamed }: WorkloadContext,
): Promise<Workload> {
  const say = (text: string) => listener({ type: 'note', text });
  const found = await openTextBase(asked.base, ({ file, bytes, total }) => {
    signal?.throwIfAborted();
    listener({ type: 'download', file, bytes, total });
  });
  const { addTokens } = asked;
  const base = addTokens === undefined ? found : await withAddedTokens(found, addTokens, say);
  if (await isStreamed(asked, taskNamed)) {
    return openStreamedWorkload(asked, base, { engine, listener, signal });
  }
  const dataset = await readTextDataset(asked.data, {
    ...(asked.valid === undefined ? {} : { valid: asked.valid }),
    ...(taskKnown && asked.task !== 'image-classification' ? { task: asked.task } : {}),
    problem: asked.problem,
    seed: asked.seed,
    strict: asked.strict,
    progress: (done: number, total: number) => {
      signal?.throwIfAborted();
      listener({ type: 'data', done, total, of: 'bytes' });
    },
  });
  const { skipped } = dataset;
  if (skipped.length > 0) say(leftOutText({ unit: 'texts', skipped }));
  // A table without labels is known for a language's only now.
  if (dataset.kind === 'plain' && (await isStreamed({ ...asked, task: dataset.task }, true))) {
    return openStreamedWorkload(asked, base, { engine, listener, signal }, skipped);
  }
  const numbers = asked.problem === undefined ? ratingsText(dataset) : null;
  if (numbers) say(numbers);
  dataset.notes.forEach(say);
  const choices: FitChoices = { ...asked, task: dataset.task };
  const maxTokens = tokenLimit(base, choices.maxLength);
  const plan = planText(dataset, choices, base, maxTokens);
  if (plan.scores) say(scoresText(plan.scores));
  const recorded = textDataRecord(dataset, plan);
  const pooling =
    dataset.kind === 'similar'
      ? poolingFiles(base.pooling(), base.config.hiddenSize, maxTokens)
      : undefined;
  const load = () => loadHead(base, { ...plan.head, seed: choices.seed });
  const loaded = await load();
  checkNetwork(loaded, choices);
  checkMethod(choices);
  const others =
    choices.backTranslate === undefined
      ? undefined
      : await paraphrases(plan.parts.train, choices.backTranslate, {
          engine,
          signal,
          progress: (done, total) => listener({ type: 'data', done, total, of: 'texts' }),
        });
  const remedy = 'Raise --max-length, shorten them';
  const read = new ReadTexts(base, { maxTokens, strict: choices.strict, remedy });
  const { fingerprint } = recorded;
  const samples = recorded.train + recorded.valid + recorded.test;
  const streams = await streamsOf(plan, {
    ...{ base, choices, maxTokens, fingerprint, read, others },
    progress: (done) => {
      signal?.throwIfAborted();
      listener({ type: 'data', done, total: samples, of: 'texts' });
    },
  });
  read.check();
  read.notes().forEach(say);
  const notes = [...dataset.notes, ...read.notes()];
  const data = { ...recorded, ...read.facts(), ...(notes.length > 0 ? { notes } : {}) };
  const taught = ending(loaded, plan, base);
  if (writes(plan)) {
    const pairs = plan.parts.train as readonly TextPairSample[];
    [...writingNotes(loaded, true), ...scoringNotes(plan, pairs)].forEach(say);
  }
  return {
    task: plan.task as TaskDefinition,
    choices,
    data,
    model: {
      modelType: base.definition.modelType,
      maxTokens,
      source: { path: base.path, ...(base.license ? { license: base.license } : {}) },
    },
    // A second network has placeholders of its own.
    prepare: async (fresh) =>
      networkOf(fresh === (choices.method === 'scratch') ? loaded : await load(), choices, fresh),
    streams: async () => ({ ...streams, train: streams.train!, close: async () => {} }),
    predict: (network, weights, part) =>
      predictTextPart(engine, { network, weights, loaded: taught, plan, base, maxTokens }, part),
    save: (path, _network, weights) =>
      saveTextModel(path, taught, base.tokenizer, weights, maxTokens, plan.learned, pooling),
    report: (folder, record) => writeTextReport(folder, record, { dataset }),
  };
}
