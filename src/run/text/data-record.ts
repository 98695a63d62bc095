/** What a run keeps of its texts. */
import type { AnyTextDataset } from '../../data/index.js';
import { hashBytes } from '../../util/index.js';
import type { RunRecord } from '../run-folder.js';
import type { TextPlan } from './plan.js';

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
    fingerprint: hashBytes(new TextEncoder().encode(content)),
  };
}
