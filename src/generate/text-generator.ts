/** Text from prompts: batches, programs that are kept for the next ones, and the ways to choose words. */
import type { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import { bucketed } from './buckets.js';
import type { DecoderShape } from './decoder-programs.js';
import { DecoderSession, type FedWeights, feedWeights } from './decoder-session.js';
import { type GenerationDefaults, generationDefaults } from './generation-config.js';
import {
  fillToken,
  type GenerativeModel,
  hasEncoder,
  requireGenerative,
} from './generative-model.js';
import { type GenerateOptions, type Plan, planOf } from './options.js';
import { type Job, rowsOf, searchBeams, writeAll } from './write-batch.js';
import { writeRows } from './write-rows.js';

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

/** A model with the special tokens that its texts are written with. */
function withTokens(text: GenerativeModel, defaults: GenerationDefaults): GenerativeModel {
  const { config } = text;
  const { options, padToken, bosToken, decoderStartToken } = defaults;
  return {
    ...text,
    config: {
      ...config,
      eosTokens: options.eosTokens ?? config.eosTokens,
      padToken: padToken ?? config.padToken,
      bosToken: bosToken ?? config.bosToken,
      decoderStartToken: decoderStartToken ?? config.decoderStartToken,
    },
  };
}

/** Writes texts with one model, and keeps its programs. */
export class TextGenerator {
  private readonly engine: Engine;
  private readonly text: GenerativeModel;
  private readonly weights: FedWeights;
  private readonly defaults: GenerationDefaults;
  private readonly packed: boolean;
  private readonly sessions = new Map<string, DecoderSession>();
  private busy = false;

  private constructor(
    engine: Engine,
    text: GenerativeModel,
    defaults: GenerationDefaults,
    weights: FedWeights,
    packed: boolean,
  ) {
    this.packed = packed;
    this.engine = engine;
    this.text = text;
    this.defaults = defaults;
    this.weights = weights;
  }

  /**
   * @param text a loaded decoder with `causal-lm` or encoder-decoder with `seq2seq-lm`; its weights must stay
   *   as they are
   * @throws ConfigError when the model gives no next words, and for what its `generation_config.json` cannot hold
   */
  static async create(
    engine: Engine,
    text: GenerativeModel,
    { packed = true }: GeneratorOptions = {},
  ): Promise<TextGenerator> {
    requireGenerative(text);
    const defaults = generationDefaults(text);
    const own = withTokens(text, defaults);
    return new TextGenerator(engine, own, defaults, await feedWeights(engine, own), packed);
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
    const { maxNewTokens: most } = options;
    if (typeof most === 'object' && most.length !== prompts.length) {
      throw new ConfigError(
        `generate: maxNewTokens has ${most.length} numbers for ${prompts.length} prompts; give one a prompt, or one for all.`,
        { prompts: prompts.length, given: most.length },
      );
    }
    // Prompts of like length go together: they are padded to the longest.
    const jobs = prompts
      .map((prompt, index) => this.job(prompt, index, options))
      .sort((a, b) => a.prompt.length - b.prompt.length);
    const results: number[][] = [];
    // Limits of length alone differ from prompt to prompt.
    const { numBeams, numReturnSequences: each } = jobs[0]?.plan ?? this.plan([], 0, options);
    const copies = numBeams > 1 ? numBeams : each;
    const size = Math.max(1, Math.floor(MAX_ROWS / copies));
    for (let from = 0; from < jobs.length; from += size) {
      const batch = jobs.slice(from, from + size);
      // A last batch that is smaller runs in the others' programs.
      const rows = jobs.length > size ? size : batch.length;
      await this.using(batch, rows, copies, async (session, logits) => {
        const write = numBeams > 1 ? searchBeams : writeAll;
        const texts = await write(session, batch, logits, this.text);
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
    const job = this.job(prompt, 0, options);
    const { numBeams, numReturnSequences } = job.plan;
    if (numBeams > 1 || numReturnSequences > 1) {
      const told = options.numBeams === undefined && this.defaults.options.numBeams === numBeams;
      const why = told
        ? ` The model's ${this.defaults.file} asks for ${numBeams}; with 1 it is streamed.`
        : '';
      throw new ConfigError(
        `stream: one text is streamed; beams are compared only at the end.${why}`,
        { numBeams, numReturnSequences },
      );
    }
    const { session, logits } = await this.start([job], 1, 1);
    try {
      const rows = rowsOf([job], session, this.text);
      const fill = fillToken(this.text.config);
      for await (const { token } of writeRows(session, rows, logits, fill)) yield token;
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

  private plan(prompt: readonly number[], index: number, options: GenerateOptions): Plan {
    const promptLength = hasEncoder(this.text) ? 1 : prompt.length;
    const { defaults } = this;
    return planOf(options, this.text.config, { index, promptLength, defaults });
  }

  /** A prompt to be answered. @throws ConfigError for what does not fit */
  private job(prompt: readonly number[], index: number, options: GenerateOptions): Job {
    const plan = this.plan(prompt, index, options);
    this.check(prompt, index, plan);
    return { prompt, index, plan };
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
  ): Promise<{ session: DecoderSession; logits: Float32Array }> {
    if (this.busy) {
      throw new ConfigError(
        'generate: a text is still being written; wait for it, or use another TextGenerator.',
      );
    }
    this.busy = true;
    try {
      const longest = Math.max(...batch.map(({ prompt }) => prompt.length));
      const maxNewTokens = Math.max(...batch.map(({ plan }) => plan.maxNewTokens));
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
    work: (session: DecoderSession, logits: Float32Array) => Promise<void>,
  ): Promise<void> {
    const { session, logits } = await this.start(batch, rows, copies);
    try {
      await work(session, logits);
    } finally {
      this.busy = false;
    }
  }
}

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
