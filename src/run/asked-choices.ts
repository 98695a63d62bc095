/** Choices of `graft predict` and `graft evaluate` that mean nothing to a model: they are refused, since a person would think that they did something. */
import { ConfigError } from '../errors.js';
import type { TextHead } from '../models/index.js';

/** What a model answers: a head of texts, or classes of pictures. */
export type Answerer = TextHead | 'image-classification';

interface Scope {
  /** For people. */
  readonly named: string;
  readonly heads: readonly Answerer[];
}

/** Those that every command has, whatever the model. */
const GENERAL: ReadonlySet<string> = new Set(['json', 'device', 'threads', 'strict', 'out']);

const SCOPES: Readonly<Record<string, Scope>> = {
  pair: {
    named: 'models that classify or compare two texts',
    heads: ['base', 'sequence-classification'],
  },
  context: { named: 'models that answer questions', heads: ['question-answering'] },
  tta: { named: 'models of pictures', heads: ['image-classification'] },
  top: {
    named: 'models that name classes, or words for a mask',
    heads: ['image-classification', 'sequence-classification', 'masked-lm'],
  },
};

/** All others say how a text is written, those that are yet to come as well. */
const WRITING: Scope = { named: 'models that write', heads: ['seq2seq-lm', 'causal-lm'] };

/** An option as it is typed: `topK` is `--top-k`. */
function typed(name: string): string {
  return `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

/** @throws ConfigError `usage` when a choice means nothing to what a model answers */
export function checkAskedChoices(head: Answerer, choices: object): void {
  for (const [name, value] of Object.entries(choices)) {
    const isSet = value !== undefined && value !== false && !(Array.isArray(value) && !value[0]);
    if (!isSet || GENERAL.has(name)) continue;
    const { named, heads } = Object.hasOwn(SCOPES, name) ? SCOPES[name]! : WRITING;
    if (heads.includes(head)) continue;
    const own = head === 'image-classification' ? 'is of pictures' : `has the head ${head}`;
    throw new ConfigError(
      `${typed(name)} is for ${named}; this model ${own}. Leave it out.`,
      { option: typed(name), head },
      'usage',
    );
  }
}
