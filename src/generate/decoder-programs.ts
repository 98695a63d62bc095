/** The programs of generation: the prompt, one more token, rows in another order. */
import { type Engine, StatefulProgram, type Variables } from '../engine/index.js';
import { constant, type HostTensor, input, type Tensor } from '../graph/index.js';
import { type BatchTensors, TEXT_INPUTS, type TextModel } from '../models/index.js';
import { AttentionCache, Context } from '../nn/index.js';
import { gather, reshape } from '../ops/index.js';
import { type GenerativeModel, hasEncoder } from './generative-model.js';

/** What the programs of one generation are compiled for. */
export interface DecoderShape {
  /** Texts that are read at once. */
  readonly prompts: number;
  /** Texts that are written for each of them: beams. */
  readonly copies: number;
  /** Tokens of a prompt, padding included; of the source where an encoder reads it. */
  readonly tokens: number;
  /** Tokens of the decoder that fit: its prompt and what is written. */
  readonly capacity: number;
}

/** Name of the output that holds logits. */
export const LOGITS = 'logits';
/** Name of the input that says which slot of the cache the new token takes. */
export const SLOT = 'slot';
/** Name of the input that says which row each row continues. */
export const ORDER = 'order';

const ids = (name: string, rows: number, tokens: number) => input(name, 'int32', [rows, tokens]);

function placeholders(names: readonly string[], rows: number, tokens: number): BatchTensors {
  return Object.fromEntries(names.map((name) => [name, ids(name, rows, tokens)]));
}

/** One pass over a model: its logits as [rows, vocabulary], and the new contents of the cache. */
interface Traced {
  readonly logits: Tensor;
  readonly updates: ReadonlyMap<Tensor, Tensor>;
}

function asRows(logits: Tensor): Tensor {
  const words = logits.shape.at(-1)!;
  return reshape(logits, [logits.size / words, words]);
}

/** The pass over the prompts, which are padded on the left; for an encoder, over sources padded on the right. */
function tracePrompt(
  text: GenerativeModel,
  { prompts, tokens }: DecoderShape,
  cache: AttentionCache,
): Traced {
  const pass = cache.pass(null);
  const context = new Context({ training: false, cache: pass });
  const encoder = hasEncoder(text);
  const names = [TEXT_INPUTS.ids, TEXT_INPUTS.mask];
  const last = Array.from({ length: prompts }, (_, row) => (row + 1) * tokens - 1);
  const batch: BatchTensors = encoder
    ? {
        ...placeholders(names, prompts, tokens),
        [TEXT_INPUTS.decoderIds]: ids(TEXT_INPUTS.decoderIds, prompts, 1),
      }
    : {
        ...placeholders([...names, TEXT_INPUTS.positions], prompts, tokens),
        // Only the next word is asked for.
        [TEXT_INPUTS.asked]: constant(last, 'int32', [prompts]),
      };
  const logits = asRows(text.model.through(batch, context));
  return { logits, updates: pass.updates };
}

/** The pass over one new token of each text. */
function traceStep(
  text: GenerativeModel,
  { prompts, copies, tokens, capacity }: DecoderShape,
  cache: AttentionCache,
): Traced {
  const pass = cache.pass(input(SLOT, 'int32', []));
  const context = new Context({ training: false, cache: pass });
  const rows = prompts * copies;
  if (!hasEncoder(text)) {
    const batch: BatchTensors = {
      ...placeholders([TEXT_INPUTS.ids, TEXT_INPUTS.positions], rows, 1),
      [TEXT_INPUTS.mask]: ids(TEXT_INPUTS.mask, rows, capacity),
    };
    const logits = asRows(text.model.through(batch, context));
    return { logits, updates: pass.updates };
  }
  const batch: BatchTensors = {
    ...placeholders([TEXT_INPUTS.decoderIds, TEXT_INPUTS.decoderPositions], rows, 1),
    [TEXT_INPUTS.decoderMask]: ids(TEXT_INPUTS.decoderMask, rows, capacity),
    [TEXT_INPUTS.mask]: ids(TEXT_INPUTS.mask, rows, tokens),
  };
  // What it gave is in the cache; nothing reads this.
  const encoded = input(TEXT_INPUTS.encoded, 'float32', [rows, tokens, text.config.hiddenSize]);
  const logits = asRows(text.model.throughHead(encoded, batch, context));
  return { logits, updates: pass.updates };
}

/** Placeholders of a model's parameters. */
export function parametersOf(model: TextModel): ReadonlyMap<string, Tensor> {
  return new Map([...model.parameters()].map(([path, { tensor }]) => [path, tensor]));
}

/** Gives every slot that has no buffer yet one of zeros. */
async function allocate(variables: Variables, cache: AttentionCache): Promise<void> {
  for (const { key, value } of cache.slots) {
    for (const t of [key, value]) {
      if (!variables.has(t)) await variables.createZero(t);
    }
  }
}

/** The compiled programs, and the caches that they read and write. */
export interface DecoderPrograms {
  readonly prompt: StatefulProgram;
  /** Of the prompts. */
  readonly promptCache: AttentionCache;
  readonly step: StatefulProgram;
  /** Of the texts that are written: the prompts' where there is one for each. */
  readonly stepCache: AttentionCache;
  /** Brings the written texts into another order; null where there is one for each prompt. */
  readonly reorder: StatefulProgram | null;
}

/**
 * Compiles what a generation of this shape runs. The buffers of the caches become variables.
 * @param packed the step holds the weights itself, in the order in which its products read them; all programs
 *   are fed them otherwise
 */
export async function compilePrograms(
  engine: Engine,
  text: GenerativeModel,
  shape: DecoderShape,
  { variables, packed }: { readonly variables: Variables; readonly packed: boolean },
): Promise<DecoderPrograms> {
  const promptCache = new AttentionCache(shape.capacity);
  const traced = tracePrompt(text, shape, promptCache);
  const stepCache =
    shape.copies === 1 ? promptCache : promptCache.withRows(shape.prompts * shape.copies);
  const next = traceStep(text, shape, stepCache);
  await allocate(variables, promptCache);
  await allocate(variables, stepCache);
  const compile = ({ logits, updates }: Traced, constants = new Map<Tensor, HostTensor>()) =>
    StatefulProgram.compile(engine, variables, { [LOGITS]: logits }, updates, { constants });
  const constants = new Map<Tensor, HostTensor>();
  if (packed) {
    for (const [path, t] of parametersOf(text.model)) constants.set(t, text.weights.get(path)!);
  }
  let reorder: StatefulProgram | null = null;
  if (shape.copies > 1) {
    const order = input(ORDER, 'int32', [shape.prompts * shape.copies]);
    const moved = new Map<Tensor, Tensor>();
    for (const { key, value, fixed } of stepCache.slots) {
      // Texts of one prompt change places among themselves only, and what is fixed is the prompt's.
      if (fixed) continue;
      for (const t of [key, value]) moved.set(t, gather(t, order));
    }
    reorder = await StatefulProgram.compile(engine, variables, {}, moved);
  }
  return {
    prompt: await compile(traced),
    promptCache,
    step: await compile(next, constants),
    stepCache,
    reorder,
  };
}
