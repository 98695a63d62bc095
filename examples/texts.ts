/**
 * A small BERT learns to tell good opinions from bad ones, and a small GPT-2 to write such opinions: tokenizers, the
 * training loop and generation, unchanged in Node and in a browser. Hand them the engine that `createEngine` gives there.
 */
import type { Engine } from '../src/api.js';
import { createTokenizer, type Tokenizer, trainWordPiece } from '../src/data/index.js';
import { streamText, TextGenerator } from '../src/generate/index.js';
import { scratch } from '../src/methods/index.js';
import { loadTextDefinition, type RawConfig, type TextHead } from '../src/models/index.js';
import { initialize } from '../src/nn/index.js';
import {
  causalLanguageModeling,
  singleLabelClassification,
  type TextTask,
} from '../src/tasks/index.js';
import { MemoryCheckpoints, TextStream, Trainer } from '../src/train/index.js';

const FILMS = ['film', 'play', 'book', 'song'];
const OPINIONS = [
  ['lovely', 'bright', 'warm'],
  ['dull', 'cold', 'grim'],
];

/** All sentences there are, with whether each is a bad opinion. */
const SENTENCES = OPINIONS.flatMap((words, label) =>
  words.flatMap((word) => FILMS.map((what) => ({ text: `the ${what} was ${word} today`, label }))),
);

function smallTokenizer(): Tokenizer {
  const texts = SENTENCES.map(({ text }) => text);
  return createTokenizer({
    tokenizer: trainWordPiece(texts, { vocabularySize: 80 }),
    config: { pad_token: '[PAD]', unk_token: '[UNK]', cls_token: '[CLS]', sep_token: '[SEP]' },
  });
}

/** A network of an architecture with a head, its weights drawn. */
async function network(modelType: string, headName: TextHead, raw: RawConfig) {
  const definition = await loadTextDefinition(modelType);
  const config = definition.parse(raw);
  const head = definition.heads[headName]!;
  const model = head.build(config);
  return { definition, config, headName, head, model, weights: initialize(model, 0) };
}

type Network = Awaited<ReturnType<typeof network>>;

/** Trains all of a network; its weights, and the loss of every pass. */
async function train(
  engine: Engine,
  { definition, head, model, weights }: Network,
  task: TextTask<never, never>,
  samples: readonly object[],
  tokenizer: Tokenizer,
  epochs: number,
) {
  const losses: number[] = [];
  const isHead = (path: string) => head.parameters?.test(path) ?? false;
  const tools = { tokenizer, maxTokens: 16 };
  const trainer = new Trainer({
    engine,
    model,
    weights,
    isHead,
    structure: definition.modelType,
    task,
    phases: scratch.plan({ model, hasRole: () => false, epochs, lr: 0.01, modality: 'text' }),
    train: new TextStream<never, never>({
      task,
      samples: samples as never[],
      items: samples.map((sample) => task.item(sample as never, tools)),
      batchSize: 8,
      padToken: tokenizer.special.pad!,
      inputs: definition.inputs,
      maxTokens: 16,
      seed: 1,
      fingerprint: definition.modelType,
    }),
    valid: null,
    optimizer: { name: 'adamw', weightDecay: 0.01 },
    clipNorm: 1,
    accumulate: 1,
    seed: 1,
    checkpoints: new MemoryCheckpoints(),
    listener: (event) => event.type === 'epoch' && losses.push(event.loss),
  });
  const result = await trainer.run();
  return { weights: result.weights, losses };
}

/** Loss of each pass of a classifier over all sentences. */
export async function learnOpinions(engine: Engine, epochs: number): Promise<number[]> {
  const tokenizer = smallTokenizer();
  const bert = await network('bert', 'sequence-classification', {
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 64,
    max_position_embeddings: 32,
    vocab_size: tokenizer.vocabularySize,
    hidden_dropout_prob: 0.1,
  });
  const task = singleLabelClassification({ classes: 2 }) as unknown as TextTask<never, never>;
  const samples = SENTENCES.map((sample, i) => ({ id: String(i), ...sample }));
  return (await train(engine, bert, task, samples, tokenizer, epochs)).losses;
}

/** What a language model that has read the sentences makes of `the song`, greedily and by two beams. */
export async function writeOpinion(engine: Engine, epochs: number): Promise<string[]> {
  const tokenizer = smallTokenizer();
  const end = tokenizer.special.sep!;
  const gpt2 = await network('gpt2', 'causal-lm', {
    n_embd: 32,
    n_layer: 2,
    n_head: 2,
    n_positions: 32,
    vocab_size: tokenizer.vocabularySize,
    eos_token_id: end,
    bos_token_id: end,
  });
  const idsOf = (text: string) => [...tokenizer.ids(text, { addSpecialTokens: false })];
  const samples = SENTENCES.map(({ text }, i) => ({
    id: String(i),
    ids: Int32Array.from([...idsOf(text), end]),
  }));
  const task = causalLanguageModeling() as unknown as TextTask<never, never>;
  const { weights } = await train(engine, gpt2, task, samples, tokenizer, epochs);
  const generator = await TextGenerator.create(engine, { ...gpt2, weights });
  const prompt = idsOf('the song');
  const decode = (ids: readonly number[]) => tokenizer.decode(ids);
  // Greedily, piece by piece: a page would show each as it comes.
  let streamed = `${decode(prompt)} `;
  for await (const piece of streamText(generator, prompt, { maxNewTokens: 8, decode })) {
    streamed += piece;
  }
  const [written] = await generator.generate([prompt], { numBeams: 2, maxNewTokens: 8 });
  return [streamed, decode([...prompt, ...written!])];
}
