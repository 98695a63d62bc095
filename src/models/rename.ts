/**
 * Renaming of tensors between libraries by declared rules that work in both directions.
 *
 * A rule is two templates: `['layer{s+1}.{b}.conv1.{*}', 'encoder.stages.{s}.layers.{b}.conv.{*}']`
 * (theirs, ours). `{s}` stands for a whole number, `{s+1}` for that number and one more, `{*}` for
 * any rest. Several of ours against one of theirs means that theirs is their concatenation along
 * the first axis (a fused query, key and value).
 */
export interface RenameRule {
  readonly theirs: string;
  readonly ours: string | readonly string[];
  /** Permutation of the axes that takes their tensor to ours. */
  readonly transpose?: readonly number[];
  /** Shape that takes their tensor to ours, where only axes of length 1 differ. */
  readonly squeeze?: 'trailing';
}
