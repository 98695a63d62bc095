/** From a run on texts to its report. */
import { stat } from 'node:fs/promises';
import type { AnyTextDataset, TaggedWords, TextSample } from '../../data/index.js';
import { readTextDataset } from '../../data/index.node.js';
import { type ReportAnswer, type ReportSample, writeReport } from '../../train/index.node.js';
import { type ClassPredictions, type PartPredictions, readPredictions } from '../predictions.js';
import { classParts, type Judged, judged, reportFrame } from '../report-parts.js';
import type { RunFolder, RunRecord } from '../run-folder.js';
import type { TagPredictions } from './predictions.js';
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

/** Sentences that were tagged wrong; the first ones. */
function taggedAnswers(
  { ids, tags }: TagPredictions,
  samples: readonly TaggedWords[],
  names: readonly string[],
): ReportAnswer[] {
  return samples
    .map((sample, i) => ({
      id: ids[i]!,
      asked: sample.words.join(' '),
      expected: tagged(
        sample.words,
        sample.tags.map((t) => names[t]!),
      ),
      answer: tagged(sample.words, tags[i]!),
    }))
    .filter(({ expected, answer }) => expected !== answer)
    .slice(0, SHOWN);
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
  if ('tags' in part && dataset?.kind === 'tags') {
    const answers = taggedAnswers(part as TagPredictions, samples as TaggedWords[], names);
    return { answers };
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
