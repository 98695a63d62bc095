/** A generation on the device: prompts are read in one pass, then every step writes one token of each text. */
import { Engine, Variables } from '../engine/index.js';
import { dtypeInfo, type HostTensor, hostTensor, inputName, type Tensor } from '../graph/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import {
  compilePrograms,
  type DecoderPrograms,
  type DecoderShape,
  LOGITS,
  ORDER,
  parametersOf,
  SLOT,
} from './decoder-programs.js';
import { decoderStart, fillToken, type GenerativeModel, hasEncoder } from './generative-model.js';

const int32 = (shape: readonly number[], data: Int32Array | readonly number[]): HostTensor =>
  hostTensor('int32', [...shape], data);

/** Weights on the device, under the names of their placeholders. */
export type FedWeights = Readonly<Record<string, DeviceTensor>>;

/** Brings the weights of a model to the device; on the CPU they stay where they are. */
export async function feedWeights(
  { runtime }: Engine,
  { model, weights }: GenerativeModel,
): Promise<FedWeights> {
  const fed: Record<string, DeviceTensor> = {};
  for (const [path, tensor] of parametersOf(model)) {
    fed[inputName(tensor)!] = await runtime.upload(weights.get(path)!);
  }
  return fed;
}

/** `value` with each of its rows (first axis) `copies` times, one after the other. */
function repeatRows({ dtype, shape, data }: HostTensor, copies: number): HostTensor {
  const [rows, ...rest] = shape as [number, ...number[]];
  const size = data.length / rows;
  const out = new (dtypeInfo(dtype).array)(data.length * copies) as Float32Array;
  for (let row = 0; row < rows; row++) {
    const from = (data as Float32Array).subarray(row * size, (row + 1) * size);
    for (let c = 0; c < copies; c++) out.set(from, (row * copies + c) * size);
  }
  return { dtype, shape: [rows * copies, ...rest], data: out };
}

/** Texts that are being written. One object serves many generations of its shape, one after the other. */
export class DecoderSession {
  readonly shape: DecoderShape;
  private readonly engine: Engine;
  private readonly text: GenerativeModel;
  private readonly weights: FedWeights;
  private readonly variables: Variables;
  private readonly programs: DecoderPrograms;
  private readonly packed: boolean;
  /** What each text may see of its slots, or of its source. */
  private mask: Int32Array = new Int32Array(0);
  private sourceMask: Int32Array = new Int32Array(0);
  /** Where the next token of each text stands. */
  private positions: Int32Array = new Int32Array(0);
  private slot = 0;
  private buffer: DeviceTensor | null = null;

  private constructor(
    engine: Engine,
    text: GenerativeModel,
    weights: FedWeights,
    shape: DecoderShape,
    variables: Variables,
    programs: DecoderPrograms,
    packed: boolean,
  ) {
    this.packed = packed;
    this.engine = engine;
    this.text = text;
    this.weights = weights;
    this.shape = shape;
    this.variables = variables;
    this.programs = programs;
  }

  /**
   * Compiles the programs.
   * @param options.packed the step holds a copy of the weights, ordered as its products read them. Measured
   *   with GPT-2 of the small size on two threads: 25 instead of 39 ms a step for one text, 38 instead of 101
   *   for four, in 1.4 instead of 0.7 GB.
   */
  static async open(
    engine: Engine,
    text: GenerativeModel,
    weights: FedWeights,
    shape: DecoderShape,
    { packed }: { readonly packed: boolean },
  ): Promise<DecoderSession> {
    // Programs that hold weights go with the session: an engine keeps what it has compiled.
    const own = packed ? new Engine(engine.runtime) : engine;
    const variables = new Variables(engine.runtime);
    const programs = await compilePrograms(own, text, shape, { variables, packed });
    return new DecoderSession(own, text, weights, shape, variables, programs, packed);
  }

  /** Texts that are written: `copies` for each prompt, side by side. */
  get rows(): number {
    return this.shape.prompts * this.shape.copies;
  }

  /** Slots that are still free. */
  get room(): number {
    return this.shape.capacity - this.slot;
  }

  /** Buffers that a step writes over what they held. */
  get updatedInPlace(): readonly string[] {
    return this.programs.step.updatedInPlace;
  }

  /**
   * Reads the prompts and forgets what was there before.
   * @param prompts as many as the shape says, none of them empty or longer than its tokens
   * @returns logits of the word after each prompt, [prompts, vocabulary]
   */
  async read(prompts: readonly (readonly number[])[]): Promise<Float32Array> {
    const feeds = hasEncoder(this.text) ? this.sources(prompts) : this.beginnings(prompts);
    const results = await this.programs.prompt.run({ ...this.weights, ...feeds });
    const logits = await this.engine.runtime.download(results[LOGITS]!);
    const data = (logits.data as Float32Array).slice();
    this.engine.runtime.free(results[LOGITS]!);
    await this.copyCache();
    return data;
  }

  /** What an encoder is fed: sources padded on the right, and the token that every text begins with. */
  private sources(prompts: readonly (readonly number[])[]): Record<string, HostTensor> {
    const { prompts: count, copies, tokens, capacity } = this.shape;
    const ids = new Int32Array(count * tokens).fill(fillToken(this.text.config));
    const mask = new Int32Array(count * tokens);
    for (const [row, prompt] of prompts.entries()) {
      ids.set(prompt, row * tokens);
      mask.fill(1, row * tokens, row * tokens + prompt.length);
    }
    this.sourceMask = repeatRows(int32([count, tokens], mask), copies).data as Int32Array;
    this.begin(new Int32Array(count).fill(1), (row) => row * capacity, 1);
    const start = new Int32Array(count).fill(decoderStart(this.text.config));
    return {
      [TEXT_INPUTS.ids]: int32([count, tokens], ids),
      [TEXT_INPUTS.mask]: int32([count, tokens], mask),
      [TEXT_INPUTS.decoderIds]: int32([count, 1], start),
    };
  }

  /** What a decoder is fed: the texts' beginnings, padded on the left so that all end together. */
  private beginnings(prompts: readonly (readonly number[])[]): Record<string, HostTensor> {
    const { prompts: count, tokens, capacity } = this.shape;
    const ids = new Int32Array(count * tokens).fill(fillToken(this.text.config));
    const mask = new Int32Array(count * tokens);
    const positions = new Int32Array(count * tokens);
    for (const [row, prompt] of prompts.entries()) {
      const first = (row + 1) * tokens - prompt.length;
      ids.set(prompt, first);
      mask.fill(1, first, (row + 1) * tokens);
      for (let i = 0; i < prompt.length; i++) positions[first + i] = i;
    }
    const lengths = Int32Array.from(prompts, (prompt) => prompt.length);
    this.begin(lengths, (row) => row * capacity + tokens - lengths[row]!, tokens);
    return {
      [TEXT_INPUTS.ids]: int32([count, tokens], ids),
      [TEXT_INPUTS.mask]: int32([count, tokens], mask),
      [TEXT_INPUTS.positions]: int32([count, tokens], positions),
    };
  }

  /** Notes for each text what it may see, and where it goes on. */
  private begin(lengths: Int32Array, first: (prompt: number) => number, slot: number): void {
    const { copies, capacity } = this.shape;
    this.mask = new Int32Array(this.rows * capacity);
    this.positions = new Int32Array(this.rows);
    for (let row = 0; row < this.rows; row++) {
      const prompt = Math.floor(row / copies);
      const from = first(prompt) + (row - prompt) * capacity;
      this.mask.fill(1, from, row * capacity + slot);
      this.positions[row] = lengths[prompt]!;
    }
    this.slot = slot;
  }

  /** Each prompt's keys and values for all texts that go on from it. */
  private async copyCache(): Promise<void> {
    const { promptCache, stepCache } = this.programs;
    if (promptCache === stepCache) return;
    for (const [site, { key, value }] of promptCache.slots.entries()) {
      const copies = stepCache.slots[site]!;
      const pairs: readonly (readonly [Tensor, Tensor])[] = [
        [key, copies.key],
        [value, copies.value],
      ];
      for (const [from, to] of pairs) {
        const read = await this.variables.read(from);
        await this.variables.write(to, repeatRows(read, this.shape.copies));
      }
    }
  }

  /**
   * Writes one token of each text.
   * @returns logits of the next word, [rows, vocabulary]: good until the next step
   */
  async step(tokens: ArrayLike<number>): Promise<Float32Array> {
    const { capacity, tokens: sourceTokens } = this.shape;
    const { rows, slot } = this;
    for (let row = 0; row < rows; row++) this.mask[row * capacity + slot] = 1;
    const ids = int32([rows, 1], Int32Array.from(tokens));
    const positions = int32([rows, 1], this.positions.slice());
    const mask = int32([rows, capacity], this.mask);
    const feeds: Record<string, HostTensor> = hasEncoder(this.text)
      ? {
          [TEXT_INPUTS.decoderIds]: ids,
          [TEXT_INPUTS.decoderPositions]: positions,
          [TEXT_INPUTS.decoderMask]: mask,
          [TEXT_INPUTS.mask]: int32([rows, sourceTokens], this.sourceMask),
        }
      : {
          [TEXT_INPUTS.ids]: ids,
          [TEXT_INPUTS.positions]: positions,
          [TEXT_INPUTS.mask]: mask,
        };
    const results = await this.programs.step.run(
      { ...(this.packed ? {} : this.weights), ...feeds, [SLOT]: int32([], [slot]) },
      this.buffer ? { [LOGITS]: this.buffer } : {},
    );
    this.buffer = results[LOGITS]!;
    this.slot++;
    for (let row = 0; row < rows; row++) this.positions[row]!++;
    return (await this.engine.runtime.download(this.buffer)).data as Float32Array;
  }

  /** Lets each text go on from another one: row i becomes what row `order[i]` is, of the same prompt. */
  async reorder(order: ArrayLike<number>): Promise<void> {
    const { reorder } = this.programs;
    const same = Array.from(order).every((from, row) => from === row);
    if (same || !reorder) return;
    // Texts of one prompt have seen as many tokens, at the same positions.
    await reorder.run({ [ORDER]: int32([this.rows], Int32Array.from(order)) });
  }

  /** Frees programs and buffers; fed weights belong to the caller. */
  async free(): Promise<void> {
    const { prompt, step, reorder } = this.programs;
    for (const program of [prompt, step, reorder]) program?.free();
    if (this.buffer) this.engine.runtime.free(this.buffer);
    this.buffer = null;
    this.variables.free();
    if (this.packed) await this.engine.release();
  }
}
