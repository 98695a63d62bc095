/**
 * Renaming of tensors between libraries by declared rules that work in both directions.
 *
 * A rule is two templates: `layer{s+1}.{b}.conv1.{*}` and `encoder.stages.{s}.layers.{b}.conv.{*}`
 * (theirs, ours). `{s}` stands for a whole number, `{s+1}` for that number and one more, `{*}` for
 * any rest. Several of ours against one of theirs means that theirs is their concatenation along
 * the first axis (a fused query, key and value).
 */
import { ConfigError } from '../errors.js';

/** One correspondence of names, and what happens to the values. */
export interface RenameRule {
  readonly theirs: string;
  readonly ours: string | readonly string[];
  /** Permutation of the axes that takes their tensor to ours. */
  readonly transpose?: readonly number[];
  /**
   * Their tensor is a convolution's weight [out, in, height, width] with this kernel, ours the
   * matrix [out, in * height * width] that does the same to a map of the kernel's size.
   */
  readonly kernel?: readonly [height: number, width: number];
  /** Axes of length 1 that their tensor has behind ours. */
  readonly ones?: number;
}

/** Numbers and the rest that a name holds in the places of a template. */
type Values = ReadonlyMap<string, string>;

/** What stands for any rest in {@link Values}. */
const REST = '*';

interface Hole {
  readonly name: string;
  readonly offset: number;
}

/** A template, read once. */
class Template {
  readonly holes: readonly Hole[];
  private readonly literals: readonly string[];
  private readonly pattern: RegExp;

  constructor(text: string) {
    const parts = text.split(/\{([^{}]*)\}/);
    this.literals = parts.filter((_, i) => i % 2 === 0);
    this.holes = parts
      .filter((_, i) => i % 2 === 1)
      .map((hole) => {
        const found = /^(?:(\*)|([a-z]\w*)(?:\+(\d+))?)$/.exec(hole);
        if (!found) throw new ConfigError(`rename: '{${hole}}' in '${text}' is no place.`);
        return { name: found[1] ?? found[2]!, offset: Number(found[3] ?? 0) };
      });
    const names = this.holes.map((h) => h.name);
    if (new Set(names).size < names.length) {
      throw new ConfigError(`rename: '${text}' has one place twice.`, { template: text });
    }
    const escaped = this.literals.map((l) => l.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    // No leading zeros: two names must not become one.
    const groups = this.holes.map((h) => (h.name === REST ? '(.*)' : '(0|[1-9]\\d{0,8})'));
    this.pattern = new RegExp(`^${escaped.map((l, i) => l + (groups[i] ?? '')).join('')}$`, 's');
  }

  /** What stands in the places, or null when `name` does not fit. */
  match(name: string): Values | null {
    const found = this.pattern.exec(name);
    if (!found) return null;
    const values = new Map<string, string>();
    for (const [i, { name: place, offset }] of this.holes.entries()) {
      const text = found[i + 1]!;
      if (place === REST) values.set(REST, text);
      else if (Number(text) < offset) return null;
      else values.set(place, String(Number(text) - offset));
    }
    return values;
  }

  fill(values: Values): string {
    return this.literals
      .map((literal, i) => {
        const hole = this.holes[i];
        if (!hole) return literal;
        const value = values.get(hole.name)!;
        return literal + (hole.name === REST ? value : String(Number(value) + hole.offset));
      })
      .join('');
  }
}

interface Compiled {
  readonly rule: RenameRule;
  readonly theirs: Template;
  readonly ours: readonly Template[];
}

/** Where one of their tensors goes. */
export interface Renamed {
  /** Its name, in their library. */
  readonly theirs: string;
  /** Our names: one, or several that are its parts along the first axis. */
  readonly ours: readonly string[];
  readonly rule: RenameRule;
}

/** Rules, ready for use. Names that no rule fits have no counterpart. */
export class Renaming {
  private readonly rules: readonly Compiled[];

  /** @throws ConfigError when two templates of a rule do not have the same places */
  constructor(rules: readonly RenameRule[]) {
    this.rules = rules.map((rule) => {
      const theirs = new Template(rule.theirs);
      const ours = [rule.ours].flat().map((text) => new Template(text));
      const places = (t: Template) =>
        t.holes
          .map((h) => h.name)
          .sort()
          .join();
      if (ours.length === 0 || ours.some((t) => places(t) !== places(theirs))) {
        throw new ConfigError(
          `rename: '${rule.theirs}' and '${rule.ours}' must have the same places.`,
          { rule },
        );
      }
      return { rule, theirs, ours };
    });
  }

  /** Our names for one of theirs. */
  toOurs(name: string): Renamed | null {
    for (const { rule, theirs, ours } of this.rules) {
      const values = theirs.match(name);
      if (values) return { theirs: name, ours: ours.map((t) => t.fill(values)), rule };
    }
    return null;
  }

  /** Their name for one of ours, with all parts of the tensor that has it. */
  toTheirs(name: string): Renamed | null {
    for (const { rule, theirs, ours } of this.rules) {
      for (const template of ours) {
        const values = template.match(name);
        if (!values) continue;
        const renamed = theirs.fill(values);
        // An earlier rule may claim that name: then this one is not its inverse.
        if (this.toOurs(renamed)?.rule !== rule) continue;
        return { theirs: renamed, ours: ours.map((t) => t.fill(values)), rule };
      }
    }
    return null;
  }
}

/** The rule of libraries that use our names. */
export const SAME_NAMES: readonly RenameRule[] = [{ theirs: '{*}', ours: '{*}' }];
