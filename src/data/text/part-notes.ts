/** What there is to know of the parts of a data set before a score is believed. */
import type { TextKind } from './dataset.js';
import type { PlacedDraft } from './placed-drafts.js';

/** Samples of each part, their classes still names. */
export interface DraftParts {
  readonly train: readonly PlacedDraft[];
  readonly valid: readonly PlacedDraft[];
  readonly test: readonly PlacedDraft[];
}

/** What is the same in two parts. Of two texts that are compared, one is often in many pairs. */
const SAME: Readonly<Record<TextKind, string | null>> = {
  'single-label': 'texts',
  'multi-label': 'texts',
  regression: 'texts',
  tags: 'sentences',
  pairs: 'sources',
  plain: 'texts',
  questions: 'contexts',
  similar: null,
};

function inTrainingToo({ train, ...parts }: DraftParts, what: string): string[] {
  const trained = new Set(train.map((d) => d.mark));
  return (['valid', 'test'] as const).flatMap((part) => {
    const marks = [...new Set(parts[part].map((d) => d.mark))];
    const both = marks.filter((mark) => trained.has(mark)).length;
    return both === 0
      ? []
      : [
          `${both} of ${marks.length} ${what} of ${part} are in train too: its scores look too good`,
        ];
  });
}

/**
 * Notes on parts: what is in two of them, one class only, nothing to validate on.
 * @param asked false when no validation part was asked for
 */
export function partNotes(
  kind: TextKind,
  parts: DraftParts,
  { asked, classes }: { readonly asked: boolean; readonly classes: number },
): string[] {
  const what = SAME[kind];
  const notes = what === null ? [] : inTrainingToo(parts, what);
  const { valid } = parts;
  if (valid.length === 0) {
    if (asked) {
      notes.push(
        'there is no validation part, for the texts are too few or all equal: nothing tells how good the model is, and the last pass is kept',
      );
    }
    return notes;
  }
  if (kind !== 'single-label' || classes < 2) return notes;
  const seen = new Set(valid.flatMap((d) => d.names));
  if (seen.size === 1) {
    notes.push(
      `all of the validation part is of the class ${[...seen][0]}: its scores say nothing of the others`,
    );
  }
  return notes;
}
