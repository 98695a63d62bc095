/** What a run keeps of its texts. */
import type { AnyTextDataset, TextSample } from '../../data/index.js';
import { hashBytes } from '../../util/index.js';
import type { RunRecord } from '../run-folder.js';
import type { TextPlan } from './plan.js';

/** A text that is a file by itself, as in class folders: other plain text has no labels. */
const WHOLE_FILE = /\.txt:\d+(-\d+)?$/i;

/** Characters that are hashed at once: all of a data set may be more than a string can be. */
const CHUNK = 2 ** 16;

/** A hash of values in their order. */
class Fingerprint {
  private readonly encoder = new TextEncoder();
  private pending = '';
  private before = '';

  add(value: unknown): void {
    this.pending += `${JSON.stringify(value)}\n`;
    if (this.pending.length >= CHUNK) this.fold();
  }

  get value(): string {
    this.fold();
    return this.before;
  }

  private fold(): void {
    this.before = hashBytes(this.encoder.encode(this.before + this.pending));
    this.pending = '';
  }
}

/** What all samples tell, found in one go: those of a large set lie on disk. */
function readThrough({ kind, classes, train, valid, test }: AnyTextDataset) {
  const fingerprint = new Fingerprint();
  fingerprint.add([kind, classes, train.length, valid.length, test.length]);
  let pairs = false;
  let wholeFiles = train.length > 0;
  for (const sample of train as readonly TextSample[]) {
    fingerprint.add(sample);
    pairs ||= 'text2' in sample;
    wholeFiles &&= WHOLE_FILE.test(sample.id);
  }
  for (const part of [valid, test]) for (const sample of part) fingerprint.add(sample);
  return { fingerprint: fingerprint.value, pairs, wholeFiles };
}

/** The data of a run as `run.json` keeps it; the fingerprint stands for every sample and its part. */
export function textDataRecord(
  dataset: AnyTextDataset,
  { parts, unit, scores }: TextPlan,
): RunRecord['data'] {
  const { kind, classes, split, skipped } = dataset;
  const { fingerprint, pairs, wholeFiles } = readThrough(dataset);
  // What later texts must be like: single ones or pairs, and what a file of them is.
  const labelled = ['single-label', 'multi-label', 'regression'].includes(kind);
  return {
    unit,
    classes,
    train: parts.train.length,
    valid: parts.valid.length,
    test: parts.test.length,
    split,
    skipped,
    ...(scores && { scores }),
    ...(labelled ? { pairs, ...(wholeFiles ? { wholeFiles } : {}) } : {}),
    fingerprint,
  };
}
