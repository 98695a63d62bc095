/** What a run keeps of its texts. */
import type { AnyTextDataset } from '../../data/index.js';
import { hashBytes } from '../../util/index.js';
import type { RunRecord } from '../run-folder.js';
import type { TextPlan } from './plan.js';

/** A text that is a file by itself, as in class folders: other plain text has no labels. */
const WHOLE_FILE = /\.txt:\d+(-\d+)?$/i;

/** What later texts must be like: single ones or pairs, and what a file of them is. */
function shapeOf(dataset: AnyTextDataset): Pick<RunRecord['data'], 'pairs' | 'wholeFiles'> {
  const { kind, train } = dataset;
  if (kind !== 'single-label' && kind !== 'multi-label' && kind !== 'regression') return {};
  const pairs = train.some((sample) => sample.text2 !== undefined);
  const wholeFiles = train.length > 0 && train.every(({ id }) => WHOLE_FILE.test(id));
  return { pairs, ...(wholeFiles ? { wholeFiles } : {}) };
}

/** The data of a run as `run.json` keeps it; the fingerprint stands for every sample and its part. */
export function textDataRecord(
  dataset: AnyTextDataset,
  { parts, unit, scores }: TextPlan,
): RunRecord['data'] {
  const { kind, classes, train, valid, test, split, skipped } = dataset;
  const content = JSON.stringify([kind, classes, train, valid, test]);
  return {
    unit,
    classes,
    train: parts.train.length,
    valid: parts.valid.length,
    test: parts.test.length,
    split,
    skipped,
    ...(scores && { scores }),
    ...shapeOf(dataset),
    fingerprint: hashBytes(new TextEncoder().encode(content)),
  };
}
