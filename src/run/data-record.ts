/** What a run keeps of its data, and whether it is still the same when the run goes on. */
import type { ImageDataset, ImageSample } from '../data/index.js';
import { DataError } from '../errors.js';
import { hashBytes } from '../util/index.js';
import type { RunRecord } from './run-folder.js';

/** The data of a run as `run.json` keeps it. */
export function imageDataRecord(dataset: ImageDataset): RunRecord['data'] {
  const { classes, train, valid, test, split, skipped } = dataset;
  return {
    unit: 'pictures',
    classes,
    train: train.length,
    valid: valid.length,
    test: test.length,
    split,
    skipped,
    fingerprint: fingerprintOf(dataset),
  };
}

/**
 * Stands for names, labels and parts of all samples. Not for times of change: a data set that was
 * copied or mounted anew is the same.
 */
function fingerprintOf({ classes, train, valid, test }: ImageDataset): string {
  const named = (part: readonly ImageSample[]) => part.map(({ id, label }) => [id, label]);
  const content = JSON.stringify([classes, named(train), named(valid), named(test)]);
  return hashBytes(new TextEncoder().encode(content));
}

/**
 * Refuses to go on with a run on other data than it was begun with: what comes out would be the
 * result of neither.
 * @throws DataError `data-changed`
 */
export function checkSameData(before: RunRecord['data'], now: RunRecord['data']): void {
  if (now.fingerprint === before.fingerprint) return;
  const counted = ({ unit = 'pictures', train, valid, test, classes }: RunRecord['data']) =>
    `${train} ${unit} to train, ${valid} to validate, ${test} to test, ${classes.length} classes`;
  const [was, is] = [counted(before), counted(now)];
  throw new DataError(
    `The data is not what the run was begun with: ${was === is ? `${is}, but other files` : `${was} then, ${is} now`}. Put the files back as they were, or begin a new run with another --out.`,
    { before: was, now: is },
    { code: 'data-changed' },
  );
}
