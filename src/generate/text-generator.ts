/** Text from prompts: batches, programs that are kept for the next ones, and the ways to choose words. */
import type { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import { BeamSearch } from './beam-search.js';
import { bucketed } from './buckets.js';
import type { DecoderShape } from './decoder-programs.js';
import { DecoderSession, type FedWeights, feedWeights } from './decoder-session.js';
import {
  decoderStart,
  fillToken,
  type GenerativeModel,
  hasEncoder,
  requireGenerative,
} from './generative-model.js';
import { type GenerateOptions, type Plan, planOf } from './options.js';
import { type Row, writeRows } from './write-rows.js';

/** Texts that are written at once at most: beyond it a step of a small model takes longer for each text. */
const MAX_ROWS = 16;
/** Sets of programs that are kept; each holds a cache of its own. */
const MAX_SESSIONS = 8;
/** The same, where each holds the weights too. */
const MAX_PACKED_SESSIONS = 2;

/** How a {@link TextGenerator} works. */
export interface GeneratorOptions {
  /**
   * Steps hold a copy of the weights in the order in which they read them: 1.5 times as fast for one text and
   * 2.6 times for four, for twice the memory and a longer compilation. Defaults to true.
   */
  readonly packed?: boolean;
}

/** A prompt and where its texts belong among the results. */
interface Job {
  readonly prompt: readonly number[];
  readonly index: number;
}

/** Writes texts with one model, and keeps its programs. */
export class TextGenerator {
  private readonly engine: Engine;
  private readonly text: GenerativeModel;
  private readonly weights: FedWeights;
  private readonly packed: boolean;
  private readonly sessions = new Map<string, DecoderSession>();
  private busy = false;

  private constructor(engine: Engine, text: GenerativeModel, weights: FedWeights, packed: boolean) {
    this.packed = packed;
    this.engine = engine;
    this.text = text;
    this.weights = weights;
  }

  /**
   * @param text a loaded decoder with `causal-lm` or encoder-decoder with `seq2seq-lm`; its weights must stay
   *   as they are
   * @throws ConfigError when the model gives no next words
   */
  static async create(
    engine: Engine,
    text: GenerativeModel,
    { packed = true }: GeneratorOptions = {},
  ): Promise<TextGenerator> {
    requireGenerative(text);
    return new TextGenerator(engine, text, await feedWeights(engine, text), packed);
  }

  /**
   * Texts that go on from the prompts; for an encoder-decoder, answers to them.
   * @param prompts ids with their special tokens, without padding
   * @returns for each prompt `numReturnSequences` texts, one prompt after the other: only what was written,
   *   the end token included
   * @throws ConfigError naming a prompt that is empty or too long, or options that do not fit
   */
  async generate(
    prompts: readonly (readonly number[])[],
    options: GenerateOptions = {},
  ): Promise<number[][]> {
    const plan = planOf(options, this.text.config);
    for (const [i, prompt] of prompts.entries()) this.check(prompt, i, plan);
    const results: number[][] = [];
    const copies = plan.numBeams > 1 ? plan.numBeams : plan.numReturnSequences;
    const size = Math.max(1, Math.floor(MAX_ROWS / copies));
    // Prompts of like length go together: they are padded to the longest.
    const jobs = prompts
      .map((prompt, index): Job => ({ prompt, index }))
      .sort((a, b) => a.prompt.length - b.prompt.length);
    for (let from = 0; from < jobs.length; from += size) {
      const batch = jobs.slice(from, from + size);
      // A last batch that is smaller runs in the others' programs.
      const rows = jobs.length > size ? size : batch.length;
      await this.using(batch, rows, copies, plan, async (session, logits) => {
        const write = plan.numBeams > 1 ? searchBeams : writeAll;
        const texts = await write(session, batch, logits, plan, this.text);
        const each = plan.numReturnSequences;
        for (const [i, written] of texts.entries()) {
          results[batch[Math.floor(i / each)]!.index * each + (i % each)] = written;
        }
      });
    }
    return results;
  }

  /**
   * The words of one text as they are written, greedily or drawn.
   * @throws ConfigError as {@link TextGenerator.generate}, and for beams, whose text is known only at the end
   */
  async *stream(prompt: readonly number[], options: GenerateOptions = {}): AsyncGenerator<number> {
    const plan = planOf(options, this.text.config);
    if (plan.numBeams > 1 || plan.numReturnSequences > 1) {
      throw new ConfigError('stream: one text is streamed; beams are compared only at the end.');
    }
    this.check(prompt, 0, plan);
    const batch = [{ prompt, index: 0 }];
    const { session, logits } = await this.start(batch, 1, 1, plan);
    try {
      const rows = rowsOf(batch, session, plan, this.text);
      const fill = fillToken(this.text.config);
      for await (const { token } of writeRows(session, rows, logits, plan, fill)) yield token;
    } finally {
      this.busy = false;
    }
  }

  /** Frees programs and buffers. */
  async free(): Promise<void> {
    for (const session of this.sessions.values()) await session.free();
    this.sessions.clear();
    for (const tensor of Object.values(this.weights)) this.engine.runtime.free(tensor);
  }

  private check(prompt: readonly number[], index: number, plan: Plan): void {
    const { maxTokens, vocabularySize } = this.text.config;
    const wrong = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
    if (prompt.length === 0 || wrong !== undefined) {
      throw new ConfigError(
        prompt.length === 0
          ? `generate: prompt ${index} is empty; give it a token to begin with.`
          : `generate: prompt ${index} holds ${wrong}, but the model knows the ids 0 to ${vocabularySize - 1}. Is it this model's tokenizer?`,
        { prompt: index, token: wrong },
      );
    }
    const encoder = hasEncoder(this.text);
    const longest = encoder
      ? Math.max(prompt.length, plan.maxNewTokens)
      : prompt.length + plan.maxNewTokens - 1;
    if (maxTokens !== null && longest > maxTokens) {
      throw new ConfigError(
        `generate: prompt ${index} of ${prompt.length} tokens and ${plan.maxNewTokens} new ones do not fit the model's ${maxTokens} positions. Shorten the prompt, or ask for fewer tokens.`,
        { prompt: index, tokens: prompt.length, maxNewTokens: plan.maxNewTokens, maxTokens },
      );
    }
  }

  /** A session of this shape, kept from before or new; the one that waits longest makes room. */
  private async session(shape: DecoderShape): Promise<DecoderSession> {
    const key = Object.values(shape).join();
    const known = this.sessions.get(key);
    this.sessions.delete(key);
    // Room is made first: two that hold the weights are more than one.
    const most = this.packed ? MAX_PACKED_SESSIONS : MAX_SESSIONS;
    for (const [old, waiting] of this.sessions) {
      if (this.sessions.size < most) break;
      this.sessions.delete(old);
      await waiting.free();
    }
    const { packed } = this;
    const session =
      known ?? (await DecoderSession.open(this.engine, this.text, this.weights, shape, { packed }));
    this.sessions.set(key, session);
    return session;
  }

  private async start(
    batch: readonly Job[],
    rows: number,
    copies: number,
    { maxNewTokens }: Plan,
  ): Promise<{ session: DecoderSession; logits: Float32Array }> {
    if (this.busy) {
      throw new ConfigError(
        'generate: a text is still being written; wait for it, or use another TextGenerator.',
      );
    }
    this.busy = true;
    try {
      const longest = Math.max(...batch.map(({ prompt }) => prompt.length));
      const encoder = hasEncoder(this.text);
      const { maxTokens } = this.text.config;
      // A table of positions may end within a bucket.
      const tokens = Math.max(
        longest,
        Math.min(bucketed(longest), maxTokens ?? Number.POSITIVE_INFINITY),
      );
      const capacity = bucketed(encoder ? maxNewTokens : tokens + maxNewTokens - 1);
      const session = await this.session({ prompts: rows, copies, tokens, capacity });
      const prompts = Array.from({ length: rows }, (_, i) => (batch[i] ?? batch[0]!).prompt);
      return { session, logits: await session.read(prompts) };
    } catch (error) {
      this.busy = false;
      throw error;
    }
  }

  private async using(
    batch: readonly Job[],
    rows: number,
    copies: number,
    plan: Plan,
    work: (session: DecoderSession, logits: Float32Array) => Promise<void>,
  ): Promise<void> {
    const { session, logits } = await this.start(batch, rows, copies, plan);
    try {
      await work(session, logits);
    } finally {
      this.busy = false;
    }
  }
}

/** What the decoder has read before it writes the text of a prompt. */
function decoderPrompt(prompt: readonly number[], text: GenerativeModel): readonly number[] {
  return hasEncoder(text) ? [decoderStart(text.config)] : prompt;
}

function rowsOf(
  batch: readonly Job[],
  { shape: { prompts, copies } }: DecoderSession,
  plan: Plan,
  text: GenerativeModel,
): Row[] {
  return Array.from({ length: prompts * copies }, (_, i) => {
    const job = batch[Math.floor(i / copies)];
    const { prompt, index } = job ?? batch[0]!;
    return {
      prompt: decoderPrompt(prompt, text),
      text: index * plan.numReturnSequences + (i % copies),
      unused: job === undefined,
    };
  });
}

type WriteBatch = (
  session: DecoderSession,
  batch: readonly Job[],
  first: Float32Array,
  plan: Plan,
  text: GenerativeModel,
) => Promise<number[][]>;

/** Each row a text of its own. */
const writeAll: WriteBatch = async (session, batch, first, plan, text) => {
  const rows = rowsOf(batch, session, plan, text);
  const texts = batch.flatMap(() =>
    Array.from({ length: plan.numReturnSequences }, (): number[] => []),
  );
  const logits = expandRows(first, session.shape);
  const fill = fillToken(text.config);
  for await (const { row, token } of writeRows(session, rows, logits, plan, fill)) {
    texts[row]!.push(token);
  }
  return texts;
};

/** Logits of the prompts for every text that goes on from them. */
function expandRows(first: Float32Array, { prompts, copies }: DecoderShape): Float32Array {
  if (copies === 1) return first;
  const vocabulary = first.length / prompts;
  const out = new Float32Array(first.length * copies);
  for (let row = 0; row < prompts * copies; row++) {
    const prompt = Math.floor(row / copies);
    out.set(first.subarray(prompt * vocabulary, (prompt + 1) * vocabulary), row * vocabulary);
  }
  return out;
}

/** Beams of every prompt side by side. */
const searchBeams: WriteBatch = async (session, batch, first, plan, text) => {
  const { numBeams } = plan;
  const searches = batch.map(({ prompt }) => new BeamSearch(decoderPrompt(prompt, text), plan));
  const next = new Int32Array(session.rows).fill(fillToken(text.config));
  const order = Int32Array.from({ length: session.rows }, (_, row) => row);
  let logits = expandRows(first, session.shape);
  for (;;) {
    const vocabulary = logits.length / session.rows;
    for (const [i, search] of searches.entries()) {
      if (search.done) continue;
      search.advance((beam) => {
        const row = i * numBeams + beam;
        return logits.subarray(row * vocabulary, (row + 1) * vocabulary);
      });
      next.set(search.lastTokens, i * numBeams);
      for (const [beam, from] of search.order.entries()) {
        order[i * numBeams + beam] = i * numBeams + (search.done ? beam : from);
      }
    }
    if (searches.every((search) => search.done)) break;
    await session.reorder(order);
    logits = await session.step(next);
  }
  return searches.flatMap((search) => search.results());
};

/** {@link TextGenerator.generate} of a generator that serves once. */
export async function generate(
  engine: Engine,
  text: GenerativeModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<number[][]> {
  const generator = await TextGenerator.create(engine, text);
  try {
    return await generator.generate(prompts, options);
  } finally {
    await generator.free();
  }
}

/** {@link TextGenerator.stream} of a generator that serves once. */
export async function* generateStream(
  engine: Engine,
  text: GenerativeModel,
  prompt: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<number> {
  const generator = await TextGenerator.create(engine, text);
  try {
    yield* generator.stream(prompt, options);
  } finally {
    await generator.free();
  }
}
