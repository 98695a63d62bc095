/** Texts beside their references, and how they are checked. */
import { ConfigError } from '../errors.js';

/**
 * Refuses texts and references that do not go together.
 * @throws ConfigError
 */
export function checkSegments(
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
): void {
  if (hypotheses.length !== references.length) {
    throw new ConfigError(
      `metrics: ${hypotheses.length} texts for ${references.length} lists of references. Give one list a text.`,
      { texts: hypotheses.length, references: references.length },
    );
  }
  if (hypotheses.length === 0) {
    throw new ConfigError('metrics: no texts. A metric needs at least one; is the split empty?');
  }
  const without = references.findIndex((r) => r.length === 0);
  if (without >= 0) {
    throw new ConfigError(`metrics: text ${without} has no reference. Give at least one.`, {
      text: without,
    });
  }
}

/**
 * Version of Graft's text metrics, for signatures: it changes when a score does.
 */
export const TEXT_METRICS_VERSION = 'graft-1';

/** `nrefs` of a signature: how many references a text has, `var` where that differs. */
export function referenceCount(references: readonly (readonly string[])[]): string {
  const counts = new Set(references.map((r) => r.length));
  return counts.size === 1 ? String([...counts][0]) : 'var';
}
