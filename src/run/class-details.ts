/** How good a model is at each class, label or type of entity: for `graft evaluate` and for reports. */
import {
  type ClassScores,
  classScores,
  confusionMatrix,
  entityScores,
  multiLabelScores,
} from '../metrics/index.js';
import type { ClassPredictions, PartPredictions } from './predictions.js';

/** Predictions of any number of classes a sample. */
export interface LabelSetPredictions extends PartPredictions {
  /** Indices of the classes that each sample has. */
  readonly labelSets: readonly (readonly number[])[];
  /** [samples, classes], row by row: the probability of each class; above a half it is predicted. */
  readonly chances: readonly number[];
}

/** Predictions of a tagger: the names of the tags of each sentence, and those that are right. */
export interface TagPredictions extends PartPredictions {
  readonly tags: readonly (readonly string[])[];
  readonly rightTags: readonly (readonly string[])[];
}

/** One class, label or type of entity. */
export type ClassDetail = Pick<ClassScores, 'precision' | 'recall' | 'f1' | 'support'> & {
  readonly label: string;
};

/** All of them. */
export interface ClassDetails {
  readonly perClass?: readonly ClassDetail[];
  /** Of one class a sample: [classes, classes], row = right class, column = predicted class. */
  readonly confusion?: readonly (readonly number[])[];
}

/** @param names classes in the order of their indices */
export function classDetails(part: PartPredictions, names: readonly string[]): ClassDetails {
  if ('probabilities' in part) return ofClasses(part as ClassPredictions, names);
  if ('labelSets' in part) return ofLabels(part as LabelSetPredictions, names);
  if ('rightTags' in part) {
    const { tags, rightTags } = part as TagPredictions;
    const { types } = entityScores(rightTags, tags);
    return { perClass: [...types].map(([label, scores]) => ({ label, ...scores })) };
  }
  return {};
}

function ofClasses({ probabilities, labels }: ClassPredictions, names: readonly string[]) {
  const n = names.length;
  const rows = { probabilities: Float32Array.from(probabilities), labels, classes: n };
  const matrix = confusionMatrix(rows);
  return {
    perClass: classScores(matrix).map(({ predicted: _, ...scores }, c) => ({
      label: names[c]!,
      ...scores,
    })),
    confusion: names.map((_, c) => [...matrix.counts.subarray(c * n, (c + 1) * n)]),
  };
}

function ofLabels({ labelSets, chances }: LabelSetPredictions, names: readonly string[]) {
  const classes = names.length;
  const labels = new Uint8Array(chances.length);
  for (const [i, own] of labelSets.entries()) for (const c of own) labels[i * classes + c] = 1;
  const predicted = chances.map((p) => (p > 0.5 ? 1 : 0));
  const { perClass } = multiLabelScores({ predicted, labels, classes });
  const support = (c: number) => labelSets.filter((own) => own.includes(c)).length;
  return { perClass: perClass.map((s, c) => ({ label: names[c]!, ...s, support: support(c) })) };
}

/** More classes than this fill a screen without telling anything: they are in `--json`. */
const SHOWN = 20;

/** A table whose first column stands left and whose numbers stand right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => [...row[c]!].length)));
  const padded = (text: string, c: number) => {
    const space = ' '.repeat(widths[c]! - [...text].length);
    return c === 0 ? text + space : space + text;
  };
  return rows.map((row) => row.map(padded).join('  '));
}

/** The details for people; nothing of more than 20 classes. */
export function formatDetails({ perClass = [], confusion }: ClassDetails): string[] {
  if (perClass.length === 0 || perClass.length > SHOWN) return [];
  const scores = table([
    ['', 'precision', 'recall', 'f1', 'number'],
    ...perClass.map(({ label, precision, recall, f1, support }) => [
      label,
      ...[precision, recall, f1].map((v) => v.toFixed(4)),
      String(support),
    ]),
  ]);
  if (!confusion) return ['', ...scores];
  const names = perClass.map(({ label }) => label);
  const counts = confusion.map((row, c) => [names[c]!, ...row.map(String)]);
  return ['', ...scores, '', ...table([['right \\ predicted', ...names], ...counts])];
}
