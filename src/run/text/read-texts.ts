/** What became of texts as tokens: how many had to be cut, and how much of them the base does not know. */
import type { Tokenizer } from '../../data/index.js';
import { DataError } from '../../errors.js';
import type { TextItem } from '../../tasks/index.js';
import type { TextBase } from './base.js';

/** Texts that were longer than a model reads. */
export interface CutTexts {
  readonly texts: number;
  /** Tokens that were left out, in all. */
  readonly tokens: number;
  /** Where they were cut, special tokens included. */
  readonly maxTokens: number;
}

/** From this share on unknown tokens are told of: below it they are a rare sign here and there. */
const TOLD = 0.05;

/** Bases that know every script, by how their kind reads. */
const WORLDLY = {
  encoder: 'FacebookAI/xlm-roberta-base',
  decoder: 'Qwen/Qwen2-0.5B',
  'encoder-decoder': 'google/mt5-small',
} as const;

type Ids = Pick<TextItem, 'ids' | 'decoderIds' | 'truncated'>;

/** Tokens of texts, and those among them that stand for what the tokenizer does not know. */
class UnknownCount {
  tokens = 0;
  unknown = 0;
  private readonly unk: number | undefined;
  private readonly special: ReadonlySet<number>;

  constructor({ special: { unk, ...others } }: Tokenizer) {
    this.special = new Set(Object.values(others));
    // GPT-2 calls its end of a text unknown as well, and knows every byte.
    this.unk = unk === undefined || this.special.has(unk) ? undefined : unk;
  }

  add(ids: ArrayLike<number>): void {
    if (this.unk === undefined) return;
    for (let i = 0; i < ids.length; i++) {
      if (this.special.has(ids[i]!)) continue;
      this.tokens++;
      if (ids[i] === this.unk) this.unknown++;
    }
  }
}

/** How a person learns of it. */
export interface ReadTextsOptions {
  readonly maxTokens: number;
  /** A text that is cut is an error. */
  readonly strict?: boolean | undefined;
  /** What helps against it. */
  readonly remedy?: string;
}

/** Counts the texts that a command reads. */
export class ReadTexts {
  private readonly options: ReadTextsOptions;
  private readonly sources: UnknownCount;
  private readonly targets: UnknownCount;
  private readonly worldly: string;
  private texts = 0;
  private tokens = 0;

  constructor(base: Pick<TextBase, 'tokenizer' | 'definition'>, options: ReadTextsOptions) {
    this.options = options;
    this.sources = new UnknownCount(base.tokenizer);
    this.targets = new UnknownCount(base.tokenizer.target ?? base.tokenizer);
    this.worldly = WORLDLY[base.definition.kind];
  }

  add({ ids, decoderIds, truncated }: Ids): void {
    this.sources.add(ids);
    if (decoderIds) this.targets.add(decoderIds);
    if (truncated === 0) return;
    this.texts++;
    this.tokens += truncated;
  }

  /** Null where every text was read to its end. */
  get cut(): CutTexts | null {
    const { texts, tokens } = this;
    return texts === 0 ? null : { texts, tokens, maxTokens: this.options.maxTokens };
  }

  /** Share of the tokens that stand for something unknown, special ones left aside. */
  get unknownShare(): number {
    const { sources, targets } = this;
    return (sources.unknown + targets.unknown) / Math.max(1, sources.tokens + targets.tokens);
  }

  /** @throws DataError `too-long` when a text was cut and that is an error */
  check(): void {
    const { cut } = this;
    if (!cut || !this.options.strict) return;
    const { remedy = 'Shorten them' } = this.options;
    throw new DataError(
      `${tooLong(cut)}. ${remedy}, or leave out --strict: then they are cut.`,
      { ...cut },
      { code: 'too-long' },
    );
  }

  /** For people. */
  notes(): string[] {
    const { cut, unknownShare } = this;
    return [
      ...(cut ? [`${tooLong(cut)} and cut there (${cut.tokens} tokens in all)`] : []),
      ...(unknownShare > TOLD
        ? [
            `${Math.round(100 * unknownShare)} % of the tokens are unknown to the base; choose one that knows the script, such as ${this.worldly}`,
          ]
        : []),
    ];
  }

  /** The same as fields of an object, those that tell something. */
  facts(): { readonly cut?: CutTexts; readonly unknownTokens?: number } {
    const { cut, unknownShare } = this;
    return {
      ...(cut ? { cut } : {}),
      ...(unknownShare > TOLD ? { unknownTokens: unknownShare } : {}),
    };
  }
}

function tooLong({ texts, maxTokens }: CutTexts): string {
  return `${texts} text${texts === 1 ? ' is' : 's are'} longer than ${maxTokens} tokens`;
}
