/** From a run on texts to its report. */
import { stat } from 'node:fs/promises';
import type { AnyTextDataset, TaggedWords, TextSample } from '../../data/index.js';
import { readTextDataset } from '../../data/index.node.js';
import { type ReportAnswer, type ReportSample, writeReport } from '../../train/index.node.js';
import { classDetails, type LabelSetPredictions, type TagPredictions } from '../class-details.js';
import { type ClassPredictions, type PartPredictions, readPredictions } from '../predictions.js';
import { classParts, type Judged, judged, reportFrame } from '../report-parts.js';
import type { RunFolder, RunRecord } from '../run-folder.js';
import type { ScorePredictions, WordPredictions } from './predictions.js';
import { isStreamed } from './streamed-workload.js';

/** Texts shown with the highest losses, and answers shown. */
const SHOWN = 24;

/** A text, or a pair of them, as one line. */
function textOf(sample: TextSample | undefined): string | undefined {
  const { text, text2 } = (sample ?? {}) as { readonly text?: string; readonly text2?: string };
  return text2 === undefined ? text : `${text} | ${text2}`;
}

function shown({ sample, ...rest }: Judged<TextSample>): ReportSample {
  const text = textOf(sample);
  return { ...rest, ...(text === undefined ? {} : { text }) };
}

/** Words with their tags behind them, those outside of entities bare. */
function tagged(words: readonly string[], tags: readonly string[]): string {
  return words.map((w, i) => (tags[i] === 'O' ? w : `${w}/${tags[i]}`)).join(' ');
}

/** Samples with what each cost, worst first, as many as are shown. */
function worstFirst(
  losses: readonly number[],
  shown: (index: number) => Omit<ReportAnswer, 'loss'> | null,
): ReportAnswer[] {
  const order = [...losses.keys()].sort((a, b) => losses[b]! - losses[a]!).slice(0, SHOWN);
  return order.flatMap((i) => {
    const answer = shown(i);
    return answer ? [{ ...answer, loss: losses[i]! }] : [];
  });
}

/** Texts of samples by their names; samples of large sets lie on disk, and few are shown. */
function textsById(samples: readonly TextSample[]): (id: string) => string | undefined {
  const places = new Map(samples.map(({ id }, i) => [id, i]));
  return (id) => textOf(samples[places.get(id) ?? -1]);
}

/** Several classes a text: the mean of the binary cross entropies, as the model is trained by. */
function labelledAnswers(
  { ids, labelSets, chances }: LabelSetPredictions,
  textFor: (id: string) => string | undefined,
  names: readonly string[],
): ReportAnswer[] {
  const named = (own: readonly number[]) => own.map((c) => names[c]!).join(', ') || 'none';
  const row = (i: number) => chances.slice(i * names.length, (i + 1) * names.length);
  const losses = ids.map((_, i) => {
    const cost = row(i).map((p, c) => {
      const right = labelSets[i]!.includes(c) ? p : 1 - p;
      return -Math.log(Math.max(right, 1e-30));
    });
    return cost.reduce((a, b) => a + b, 0) / names.length;
  });
  return worstFirst(losses, (i) => {
    const asked = textFor(ids[i]!);
    if (asked === undefined) return null;
    const found = [...row(i).entries()].filter(([, p]) => p > 0.5).map(([c]) => c);
    return { id: ids[i]!, asked, expected: named(labelSets[i]!), answer: named(found) };
  });
}

/** A number a text: the squared error. */
function scoredAnswers(
  { ids, scores, expected }: ScorePredictions,
  textFor: (id: string) => string | undefined,
): ReportAnswer[] {
  const written = (value: number) => String(Number(value.toPrecision(4)));
  const losses = ids.map((_, i) => (scores[i]! - expected[i]!) ** 2);
  return worstFirst(losses, (i) => {
    const asked = textFor(ids[i]!);
    if (asked === undefined) return null;
    return { id: ids[i]!, asked, expected: written(expected[i]!), answer: written(scores[i]!) };
  });
}

/** Sentences that were tagged wrong, those with the most wrong tags first. */
function taggedAnswers(
  { ids, tags }: TagPredictions,
  samples: readonly TaggedWords[],
  names: readonly string[],
): ReportAnswer[] {
  const losses = samples.map(
    (sample, i) => sample.tags.filter((t, w) => names[t] !== tags[i]![w]).length,
  );
  return worstFirst(losses, (i) => {
    if (losses[i] === 0) return null;
    const { words, tags: right } = samples[i]!;
    const expected = tagged(
      words,
      right.map((t) => names[t]!),
    );
    return { id: ids[i]!, asked: words.join(' '), expected, answer: tagged(words, tags[i]!) };
  }).map(({ loss: _, ...answer }) => answer);
}

/** What is told of single samples. */
function sampleParts(
  part: PartPredictions,
  dataset: AnyTextDataset | null,
  { data, choices }: RunRecord,
): object {
  const samples: readonly TextSample[] = dataset?.[part.part === 'test' ? 'test' : 'valid'] ?? [];
  const names = data.classes;
  if ('probabilities' in part) {
    const classes = part as ClassPredictions;
    const all = judged(classes, samples, names.length);
    const topLosses = all.slice(0, SHOWN).map(shown);
    return { ...classParts(classes, names, choices.seed), topLosses };
  }
  const textFor = textsById(samples);
  if ('labelSets' in part) {
    const rows = classDetails(part, names).perClass!;
    const answers = labelledAnswers(part as LabelSetPredictions, textFor, names);
    return { groups: { named: 'labels', rows }, answers };
  }
  if ('scores' in part) {
    const scores = part as ScorePredictions;
    const correlation = part.result.metrics.pearson!;
    const scatter = { expected: scores.expected, predicted: scores.scores, correlation };
    return { scatter, answers: scoredAnswers(scores, textFor) };
  }
  if ('tags' in part) {
    const { perClass: rows = [] } = classDetails(part, names);
    const groups = rows.length > 0 ? { groups: { named: 'types of entities', rows } } : {};
    if (dataset?.kind !== 'tags') return groups;
    const answers = taggedAnswers(part as TagPredictions, samples as TaggedWords[], names);
    return { ...groups, answers };
  }
  if ('worst' in part) {
    const { worst } = part as WordPredictions;
    const bare = { expected: '', answer: '' };
    return { answers: worst.map(({ text, ...one }) => ({ ...one, ...bare, asked: text })) };
  }
  if ('answers' in part) {
    return { answers: (part.answers as readonly ReportAnswer[]).slice(0, SHOWN) };
  }
  return {};
}

/**
 * Writes `report.html` of a run that has ended.
 * @param dataset null when the data is not there any more: scores and curves need none
 */
export async function writeTextReport(
  folder: RunFolder,
  record: RunRecord,
  { dataset }: { readonly dataset: AnyTextDataset | null },
): Promise<void> {
  const parts = await readPredictions(folder);
  const part = parts.find((p) => p.part === 'test') ?? parts.find((p) => p.part === 'valid');
  const frame = reportFrame(folder, record, part?.part ?? 'valid');
  const more = part ? sampleParts(part, dataset, record) : { metrics: [] };
  await writeReport(folder.report, { ...frame, ...more });
}

/** The data of a run, as it was split; null when it is not there, or is read as a stream. */
async function datasetOf({ choices, taskNamed = true }: RunRecord): Promise<AnyTextDataset | null> {
  const { data, task, problem, valid, seed } = choices;
  const there = await stat(data).catch(() => null);
  if (!there || task === 'image-classification' || (await isStreamed(choices, taskNamed)))
    return null;
  return readTextDataset(data, { ...(valid === undefined ? {} : { valid }), task, problem, seed });
}

/** Writes the report of a run on texts anew. */
export async function rewriteTextReport(folder: RunFolder, record: RunRecord): Promise<void> {
  await writeTextReport(folder, record, { dataset: await datasetOf(record) });
}
