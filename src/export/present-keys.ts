/** The keys and values of all tokens so far, as inputs and outputs of an exported decoder. */
import { input, type Tensor } from '../graph/index.js';
import { AttentionCache, CachePass } from '../nn/index.js';
import { concat, reshape, transpose } from '../ops/index.js';

/** [batch, tokens, heads * size] to [batch, heads, tokens, size]. */
function byHead(x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
}

/** The inverse of {@link byHead}. */
function joined(x: Tensor): Tensor {
  const [batch, heads, tokens, size] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * size]);
}

/** What an exported decoder is asked with. */
export interface PresentOptions {
  /** Tokens of earlier runs, whose keys and values are inputs; null for the first run. */
  readonly past: number | null;
  /** Layers attend to an encoder too; both kinds of keys are then told apart by name. */
  readonly crossed: boolean;
}

/**
 * A forward pass whose keys and values are handed over instead of kept: `past_key_values.0.key` and its kin
 * come in, `present.0.key` and its kin go out, [batch, heads, tokens, channels of a head], as in Hugging
 * Face's exports.
 */
export class PresentKeys extends CachePass {
  /** Keys and values so far, by name. */
  readonly present: Record<string, Tensor> = {};
  private readonly past: number | null;
  private readonly crossed: boolean;
  private layer = 0;

  /** @param position of the one new token, where there are earlier ones */
  constructor({ past, crossed }: PresentOptions, position: Tensor | null) {
    super(new AttentionCache(0), position);
    this.past = past;
    this.crossed = crossed;
  }

  override append(key: Tensor, value: Tensor, heads: number): { key: Tensor; value: Tensor } {
    const at = this.crossed ? `${this.layer}.decoder` : String(this.layer++);
    const all = (part: string, x: Tensor) => {
      const made = byHead(x, heads);
      const [batch, , , size] = made.shape as [number, number, number, number];
      const { past } = this;
      const whole =
        past === null
          ? made
          : concat(
              [input(`past_key_values.${at}.${part}`, 'float32', [batch, heads, past, size]), made],
              2,
            );
      this.present[`present.${at}.${part}`] = whole;
      return joined(whole);
    };
    return { key: all('key', key), value: all('value', value) };
  }

  override fixed(
    make: () => { key: Tensor; value: Tensor },
    heads: number,
  ): { key: Tensor; value: Tensor } {
    const at = `${this.layer++}.encoder`;
    const made = make();
    const all = (part: string, x: Tensor) => {
      const split = byHead(x, heads);
      // What was made of the encoder's tokens comes in; how it was made is not part of the graph then.
      const whole =
        this.past === null ? split : input(`past_key_values.${at}.${part}`, 'float32', split.shape);
      this.present[`present.${at}.${part}`] = whole;
      return joined(whole);
    };
    return { key: all('key', made.key), value: all('value', made.value) };
  }
}
