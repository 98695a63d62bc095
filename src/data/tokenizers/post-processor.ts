/** Post-processors of a tokenizer.json: which special tokens stand around the texts. */
import {
  countField,
  flagField,
  type JsonObject,
  listField,
  objectField,
  shown,
  textField,
  tokenizerFault,
} from './fields.js';

/** A place of a template: one of the texts, or special tokens. */
export type TemplatePart =
  | { readonly text: 0 | 1; readonly typeId: number }
  | { readonly ids: readonly number[]; readonly typeId: number };

/** What comes out for one text and for two. */
export interface PostProcessor {
  readonly single: readonly TemplatePart[];
  readonly pair: readonly TemplatePart[];
  /** White space at the ends of byte-level tokens is taken out of their ranges. */
  readonly trim: { readonly addPrefixSpace: boolean } | null;
  /** What it calls cls and sep, where it does: RoBERTa's have other names than BERT's. */
  readonly marks?: { readonly cls: number; readonly sep: number };
}

const BARE: PostProcessor = {
  single: [{ text: 0, typeId: 0 }],
  pair: [
    { text: 0, typeId: 0 },
    { text: 1, typeId: 1 },
  ],
  trim: null,
};

function trimOf(config: JsonObject, field: string): PostProcessor['trim'] {
  return flagField(config.trim_offsets, `${field}.trim_offsets`, true)
    ? { addPrefixSpace: flagField(config.add_prefix_space, `${field}.add_prefix_space`, true) }
    : null;
}

/** `["[SEP]", 102]`. */
function specialId(value: unknown, field: string): number {
  const list = listField(value, field);
  textField(list[0], `${field}[0]`);
  return countField(list[1], `${field}[1]`);
}

function marksOf(config: JsonObject, field: string): { cls: number; sep: number } {
  return {
    cls: specialId(config.cls, `${field}.cls`),
    sep: specialId(config.sep, `${field}.sep`),
  };
}

function template(config: JsonObject, field: string): PostProcessor {
  const specials = objectField(config.special_tokens ?? {}, `${field}.special_tokens`);
  const parts = (key: 'single' | 'pair'): TemplatePart[] =>
    listField(config[key], `${field}.${key}`).map((piece, i) => {
      const name = `${field}.${key}[${i}]`;
      const given = objectField(piece, name);
      const kind = given.Sequence !== undefined ? 'Sequence' : 'SpecialToken';
      const inner = objectField(given[kind], `${name}.${kind}`);
      const typeId = countField(inner.type_id, `${name}.${kind}.type_id`, 0);
      if (kind === 'Sequence') {
        if (inner.id !== 'A' && inner.id !== 'B') {
          throw tokenizerFault(`${name}.Sequence.id`, `is ${shown(inner.id)}; expected A or B.`);
        }
        return { text: inner.id === 'A' ? 0 : 1, typeId };
      }
      const token = textField(inner.id, `${name}.SpecialToken.id`);
      if (!Object.hasOwn(specials, token)) {
        throw tokenizerFault(name, `uses '${token}', which special_tokens does not explain.`);
      }
      const entry = objectField(specials[token], `${field}.special_tokens['${token}']`);
      const ids = listField(entry.ids, `${field}.special_tokens['${token}'].ids`).map((id, k) =>
        countField(id, `${field}.special_tokens['${token}'].ids[${k}]`),
      );
      return { ids, typeId };
    });
  const single = parts('single');
  const pair = config.pair == null ? BARE.pair : parts('pair');
  for (const [key, list, text] of [
    ['single', single, 0],
    ['pair', pair, 0],
    ['pair', pair, 1],
  ] as const) {
    if (list.filter((p) => 'text' in p && p.text === text).length !== 1) {
      const name = text === 0 ? 'A' : 'B';
      throw tokenizerFault(`${field}.${key}`, `must name sequence ${name} exactly once.`);
    }
  }
  if (single.some((p) => 'text' in p && p.text === 1)) {
    throw tokenizerFault(`${field}.single`, 'names sequence B, which a single text has not.');
  }
  return { single, pair, trim: null };
}

const KNOWN: Readonly<Record<string, (config: JsonObject, field: string) => PostProcessor>> = {
  TemplateProcessing: template,
  BertProcessing(config, field) {
    const marks = marksOf(config, field);
    const cls = { ids: [marks.cls], typeId: 0 };
    const { sep } = marks;
    const single = [cls, { text: 0, typeId: 0 } as const, { ids: [sep], typeId: 0 }];
    return {
      single,
      pair: [...single, { text: 1, typeId: 1 }, { ids: [sep], typeId: 1 }],
      trim: null,
      marks,
    };
  },
  RobertaProcessing(config, field) {
    const marks = marksOf(config, field);
    const cls = { ids: [marks.cls], typeId: 0 };
    const sep = { ids: [marks.sep], typeId: 0 };
    const single = [cls, { text: 0, typeId: 0 } as const, sep];
    return {
      single,
      pair: [...single, sep, { text: 1, typeId: 0 }, sep],
      trim: trimOf(config, field),
      marks,
    };
  },
  ByteLevel: (config, field) => ({ ...BARE, trim: trimOf(config, field) }),
  Sequence(config, field) {
    const parts = listField(config.processors, `${field}.processors`).map((part, i) => {
      const name = `${field}.processors[${i}]`;
      const given = objectField(part, name);
      return { adds: given.type !== 'ByteLevel', made: readPostProcessor(given, name) };
    });
    const adding = parts.filter((p) => p.adds);
    if (adding.length > 1) {
      throw tokenizerFault(field, 'adds special tokens twice, which is not known here.');
    }
    return {
      ...(adding[0]?.made ?? BARE),
      trim: parts.map((p) => p.made.trim).find((t) => t !== null) ?? null,
    };
  },
};

/**
 * @param config null: the texts follow each other without special tokens
 * @throws WeightsError naming the field that is wrong or unknown
 */
export function readPostProcessor(config: JsonObject | null, field: string): PostProcessor {
  if (config === null) return BARE;
  const { type } = config;
  if (typeof type === 'string' && Object.hasOwn(KNOWN, type)) return KNOWN[type]!(config, field);
  throw tokenizerFault(
    `${field}.type`,
    `is ${shown(type)}, which is not known here; known are ${Object.keys(KNOWN).join(', ')}.`,
  );
}

/** Number of special tokens that a template adds. */
export function addedCount(template: readonly TemplatePart[]): number {
  return template.reduce((n, part) => n + ('ids' in part ? part.ids.length : 0), 0);
}
