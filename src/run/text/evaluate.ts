/** Scores of a finished text model on labelled data. */
import {
  type AnyTextDataset,
  type ClassifiedText,
  indexLabels,
  type MultiLabelText,
  schemeOfLabels,
  type TaggedWords,
  type TextPairSample,
  type TextSample,
} from '../../data/index.js';
import { type ReadTextOptions, readTextDataset } from '../../data/index.node.js';
import { DataError } from '../../errors.js';
import { problemOf } from '../../models/index.js';
import { joinLists, mapList } from '../../util/index.js';
import type { Evaluation } from '../apply.js';
import { checkAskedChoices } from '../asked-choices.js';
import { classDetails } from '../class-details.js';
import { type EngineChoice, openEngine } from '../engine.js';
import { openTextRun, type TextRun } from './open-run.js';
import { planText, TEXT_KINDS } from './plan.js';
import { predictTextPart, writes } from './predictions.js';
import { ReadTexts } from './read-texts.js';
import { streamOf } from './streams.js';
import { scoringNotes, writingNotes } from './written.js';

/**
 * A data set whose classes are those of a model.
 * @throws DataError `unknown-label` for a class that the model does not know
 */
export function relabelled(dataset: AnyTextDataset, labels: readonly string[]): AnyTextDataset {
  const { kind, classes } = dataset;
  if (kind !== 'single-label' && kind !== 'multi-label' && kind !== 'tags') return dataset;
  type Labelled = ClassifiedText | MultiLabelText | TaggedWords;
  const samples = joinLists([
    dataset.train,
    dataset.valid,
    dataset.test,
  ] as (readonly Labelled[])[]);
  const index = indexLabels(classes, labels, (name) => {
    const at = classes.indexOf(name);
    const first = samples.find((s) =>
      'label' in s ? s.label === at : ('labels' in s ? s.labels : s.tags).includes(at),
    );
    return first ? ` (${first.id})` : '';
  });
  const at = (i: number) => index[i]!;
  const one = (sample: Labelled) => {
    if ('label' in sample) return { ...sample, label: at(sample.label) };
    if ('labels' in sample) return { ...sample, labels: sample.labels.map(at) };
    return { ...sample, tags: sample.tags.map(at) };
  };
  const [train, valid, test] = (['train', 'valid', 'test'] as const).map((part) =>
    mapList(dataset[part] as readonly Labelled[], one),
  );
  return { ...dataset, classes: labels, train, valid, test } as AnyTextDataset;
}

/** @throws DataError `columns` when a model of pairs is scored on single texts, or one of those on pairs */
function checkSameShape(pairs: boolean | undefined, samples: readonly TextSample[]): void {
  const wrong = samples.find((sample) => 'text2' in sample !== pairs);
  if (pairs === undefined || !wrong) return;
  const [taught, found] = pairs ? ['pairs of texts', 'single ones'] : ['single texts', 'pairs'];
  throw new DataError(
    `The model was taught on ${taught}, and the data has ${found} (${wrong.id}). Give data with the columns that it was taught on.`,
    { id: wrong.id, pairs },
    { code: 'columns' },
  );
}

/** What the labels of the data must be: what the model answers, not what they look like in this file. */
function readAs(opened: TextRun): Pick<ReadTextOptions, 'problem' | 'tagScheme'> {
  const { headName, config } = opened.loaded;
  if (headName === 'token-classification') return { tagScheme: schemeOfLabels(config.labels) };
  return headName === 'sequence-classification' ? { problem: TEXT_KINDS[problemOf(config)] } : {};
}

/**
 * Scores a run on texts: the test part where the data has one, else the validation part, else all of it.
 * @throws DataError when the data has a label that the model does not know
 */
export async function evaluateText(
  run: string,
  data: string,
  options: EngineChoice & { readonly strict?: boolean },
): Promise<Evaluation> {
  checkAskedChoices('sequence-classification', options);
  const engine = await openEngine(options);
  const opened = await openTextRun(run);
  const { base, loaded, maxTokens, choices, learned, record } = opened;
  const read = await readTextDataset(data, {
    ...(choices.task === 'image-classification' ? {} : { task: choices.task }),
    split: false,
    ...readAs(opened),
    strict: options.strict === true,
  });
  const dataset = relabelled(read, loaded.config.labels);
  const plan = planText(dataset, choices, base, maxTokens, learned);
  const part = (['test', 'valid'] as const).find((p) => plan.parts[p].length > 0) ?? 'all';
  const samples = plan.parts[part === 'all' ? 'train' : part];
  checkSameShape(record?.data.pairs, samples);
  const seen = new ReadTexts(base, { maxTokens, strict: options.strict });
  const asking = { ...choices, augment: 'none' };
  const stream = await streamOf(plan, samples, {
    ...{ base, choices: asking, maxTokens, fingerprint: part, read: seen },
  });
  seen.check();
  const network = { model: loaded.model };
  const answerer = { network, weights: loaded.weights, loaded, plan, base, maxTokens };
  const found = await predictTextPart(engine, answerer, { part, stream });
  const pairs = samples as readonly TextPairSample[];
  const notes = [
    ...dataset.notes,
    ...(writes(plan) ? [...writingNotes(loaded), ...scoringNotes(plan, pairs)] : []),
    ...seen.notes(),
  ];
  return {
    ...{ run, data, task: dataset.task, part, unit: plan.unit, ...found.result },
    ...classDetails(found, loaded.config.labels),
    ...{ skipped: dataset.skipped, ...seen.facts() },
    ...(notes.length > 0 ? { notes } : {}),
  };
}
