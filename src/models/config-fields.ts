/** Reading an untrusted `config.json` field by field, with errors that say what may stand there. */
import { ConfigError } from '../errors.js';
import type { ImageConfig, ModelDefinition, RawConfig } from './define-model.js';

/** More classes than any classifier has; beyond it a file is damaged or hostile. */
const MAX_LABELS = 1_000_000;
/** Wider or deeper than any published model; a larger number would only exhaust memory. */
const MAX_SIZE = 1 << 20;

/** Limits on a number. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
}

/**
 * Names that stand for an architecture's own names of fields, by the latter: transformers' `attribute_map`, by
 * which it reads `hidden_size` for GPT-2's `n_embd`.
 */
export type FieldAliases = Readonly<Record<string, string>>;

/** Typed access to the fields of one configuration. A field that is absent or null has its default. */
export class ConfigFields {
  private readonly modelType: string;
  private readonly raw: RawConfig;
  private readonly aliases: FieldAliases;
  private readonly file: string;

  /**
   * @param modelType for messages, as `file` is
   * @param aliases other names under which a field may stand; under both it must say the same
   */
  constructor(
    modelType: string,
    raw: RawConfig,
    { aliases = {}, file = 'config.json' }: { aliases?: FieldAliases; file?: string } = {},
  ) {
    this.modelType = modelType;
    this.raw = raw;
    this.aliases = aliases;
    this.file = file;
  }

  /** True when the field is there and not null. */
  has(field: string): boolean {
    return this.value(field) !== undefined;
  }

  /** A whole number. @param range defaults to 1 and what memory could hold */
  integer(field: string, fallback: number, { min = 1, max = MAX_SIZE }: NumberRange = {}): number {
    const value = this.value(field) ?? fallback;
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
      return value as number;
    }
    return this.fail(field, `a whole number from ${min} to ${max}`);
  }

  /** A finite number. */
  number(
    field: string,
    fallback: number,
    { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: NumberRange = {},
  ): number {
    const value = this.value(field) ?? fallback;
    if (Number.isFinite(value) && (value as number) >= min && (value as number) <= max) {
      return value as number;
    }
    return this.fail(field, `a number from ${min} to ${max}`);
  }

  /** true or false. */
  flag(field: string, fallback: boolean): boolean {
    const value = this.value(field) ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(field, 'true or false');
  }

  /** One of some words. */
  choice<T extends string>(field: string, choices: readonly T[], fallback: T): T {
    const value = this.value(field) ?? fallback;
    const found = choices.find((c) => c === value);
    return found ?? this.fail(field, choices.map((c) => `'${c}'`).join(' or '));
  }

  /** A list of whole numbers, one at least. @param length how many, when that is fixed */
  integers(
    field: string,
    fallback: readonly number[],
    { length, min = 1, max = MAX_SIZE }: NumberRange & { readonly length?: number } = {},
  ): readonly number[] {
    const value = this.value(field) ?? fallback;
    const fits =
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= 1024 &&
      (length === undefined || value.length === length) &&
      value.every((v) => Number.isInteger(v) && v >= min && v <= max);
    if (fits) return value as number[];
    const count = length === undefined ? 'a list' : `${length}`;
    return this.fail(field, `${count} of whole numbers from ${min} to ${max}`);
  }

  /**
   * Class names, from `id2label`, else from the number of classes: LABEL_0, LABEL_1, ...
   * @param fallback classes of a configuration that names neither; Hugging Face's default is 2
   */
  labels(fallback = 2): readonly string[] {
    const given = this.value('id2label');
    const count = ['num_labels', 'num_classes'].find((f) => this.has(f));
    const want = count && this.integer(count, fallback, { max: MAX_LABELS });
    if (given === undefined) return numberedLabels(want || fallback);
    if (typeof given !== 'object' || given === null) return this.fail('id2label', 'an object');
    const entries = Object.entries(given);
    const labels = new Array<string>(entries.length);
    for (const [id, label] of entries) {
      const at = Number(id);
      const fits = Number.isInteger(at) && at >= 0 && at < entries.length;
      if (!fits || typeof label !== 'string' || labels[at] !== undefined) {
        return this.fail('id2label', 'one string for each class, numbered from 0 without gaps');
      }
      labels[at] = label;
    }
    if (labels.length < 1 || labels.length > MAX_LABELS || (want && want !== labels.length)) {
      return this.fail(
        'id2label',
        `1 to ${MAX_LABELS} labels${want ? `, and as many as ${count} says: ${want}` : ''}`,
      );
    }
    return labels;
  }

  /** What every image classifier's configuration holds. */
  image(): ImageConfig {
    return { labels: this.labels(), channels: this.integer('num_channels', 3, { max: 1024 }) };
  }

  /** Refuses a field's value. @param expected what may stand there */
  fail(field: string, expected: string): never {
    const alias = this.aliases[field];
    const given = alias && this.own(field) === undefined && this.has(field) ? alias : field;
    const value = this.raw[given];
    const text = JSON.stringify(value)?.slice(0, 80);
    throw new ConfigError(
      `${this.file} of a ${this.modelType}: '${given}' must be ${expected}, got ${text}.`,
      { modelType: this.modelType, field: given, value },
    );
  }

  private value(field: string): unknown {
    const value = this.own(field);
    const alias = this.aliases[field];
    const other = alias && this.own(alias);
    if (other === undefined) return value;
    if (value !== undefined && JSON.stringify(value) !== JSON.stringify(other)) {
      this.fail(
        field,
        `the same as '${alias}', another name of it, which is ${JSON.stringify(other)?.slice(0, 80)}`,
      );
    }
    return other;
  }

  private own(field: string): unknown {
    // Own properties only: a file must not reach Object.prototype.
    return Object.hasOwn(this.raw, field) ? (this.raw[field] ?? undefined) : undefined;
  }
}

/** LABEL_0, LABEL_1, ...: what transformers calls classes that nobody named. */
export function numberedLabels(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `LABEL_${i}`);
}

/** The fields of `config.json` that name classes. */
export function labelFields(labels: readonly string[]): RawConfig {
  const unique = new Set(labels).size === labels.length;
  return {
    num_labels: labels.length,
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    // Two classes of one name have no inverse.
    ...(unique ? { label2id: Object.fromEntries(labels.map((label, i) => [label, i])) } : {}),
  };
}

/** The whole `config.json` of a configuration; `parse` reads it back. */
export function writeConfig<C extends ImageConfig>(
  definition: ModelDefinition<C>,
  config: C,
): RawConfig {
  const { labels, channels } = config;
  return {
    ...(definition.architecture ? { architectures: [definition.architecture] } : {}),
    model_type: definition.modelType,
    num_channels: channels,
    ...labelFields(labels),
    torch_dtype: 'float32',
    ...definition.write(config),
  };
}
