/** What a finished text model says of a part of the data. */

import type { TextPairSample } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { generationFile } from '../../generate/index.js';
import type { LoadedTextModel, TextModel } from '../../models/index.js';
import type { Weights } from '../../nn/index.js';
import {
  answersOf,
  packedRows,
  probabilitiesOf,
  type QuestionWindow,
  type Row,
  type TaggedTruth,
  type TokenBlock,
  tagsAt,
} from '../../tasks/index.js';
import { collect, Forward } from '../../train/index.js';
import type { LabelSetPredictions, TagPredictions } from '../class-details.js';
import type { ClassPredictions, PartPredictions } from '../predictions.js';
import type { AskedPart, PreparedNetwork } from '../workload.js';
import type { TextBase } from './base.js';
import type { TextPlan } from './plan.js';
import { type WrittenPredictions, writePart } from './written.js';

/** Whether answers are written. */
export function writes({ head, task }: Pick<TextPlan, 'head' | 'task'>): boolean {
  return head.head === 'seq2seq-lm' || task.name === 'text-generation';
}

/** A model at work on the plan's task. */
export interface TextAnswerer {
  readonly network: Pick<PreparedNetwork, 'model'>;
  readonly weights: Weights;
  readonly loaded: Pick<
    LoadedTextModel,
    'definition' | 'config' | 'headName' | 'raw' | 'generation'
  >;
  readonly plan: TextPlan;
  readonly base: Pick<TextBase, 'tokenizer' | 'config'>;
  readonly maxTokens: number;
}

/** Predictions of a number a text. */
export interface ScorePredictions extends PartPredictions {
  readonly scores: readonly number[];
  readonly expected: readonly number[];
}

/** Texts of a language model that cost it most, worst first; `loss` in nats a token. */
export interface WordPredictions extends PartPredictions {
  readonly worst: readonly { readonly id: string; readonly text: string; readonly loss: number }[];
}

/** Blocks that are kept of a language model's part. */
const WORST = 24;

/** Digits that a float32 has. */
const short = (value: number) => Number(value.toPrecision(7));

/** Probabilities of classes from rows of logits, to the digits that matter. */
export function classProbabilities(rows: readonly Row[]): number[] {
  const { values, width } = packedRows(rows);
  const probabilities = probabilitiesOf({ logits: values, classes: width });
  return Array.from(probabilities, short);
}

/**
 * Predicts and scores one part.
 * @throws the signal's reason when it is aborted on the way
 */
export async function predictTextPart(
  engine: Engine,
  answerer: TextAnswerer,
  { part, stream, signal }: AskedPart,
): Promise<PartPredictions> {
  const { network, weights, plan } = answerer;
  const { task, head, parts } = plan;
  const forward = new Forward(engine, network.model, { part: 'all', weights, keep: task.keep });
  const rows = await collect(stream, ({ feeds }) => forward.run(feeds), { signal });
  // Gone through more than once, and on disk where the data is large.
  const truth = [...stream.truth];
  const metrics = task.score({ rows, truth });
  const base = { part, result: { samples: rows.length, metrics }, ids: [...stream.ids] };
  if (head.problem === 'single_label_classification') {
    const found: ClassPredictions = {
      ...base,
      labels: truth as readonly number[],
      probabilities: classProbabilities(rows),
    };
    return found;
  }
  if (head.problem === 'multi_label_classification') {
    const labelSets = truth as LabelSetPredictions['labelSets'];
    const chances = Array.from(packedRows(rows).values, (v) => short(1 / (1 + Math.exp(-v))));
    const found: LabelSetPredictions = { ...base, labelSets, chances };
    return found;
  }
  if (head.problem === 'regression') {
    const scores = Array.from(packedRows(rows).values, short);
    const found: ScorePredictions = { ...base, scores, expected: truth as number[] };
    return found;
  }
  if (head.head === 'token-classification') {
    const names = head.labels!;
    const outside = Math.max(0, names.indexOf('O'));
    const tagged = truth as readonly TaggedTruth[];
    const found: TagPredictions = {
      ...base,
      rightTags: tagged.map(({ tags }) => tags.map((tag) => names[tag]!)),
      tags: tagged.map(({ places }, i) =>
        tagsAt(rows[i]!.data, places, outside).map((tag) => names[tag]!),
      ),
    };
    return found;
  }
  if (head.head === 'question-answering') {
    const answers = answersOf(truth as readonly QuestionWindow[], rows, plan.learned);
    const found: WrittenPredictions = {
      ...base,
      answers: [...answers].map(([{ id, question, answers: right }, answer]) => ({
        id,
        asked: question,
        expected: right.map((a) => a.text).join(' | '),
        answer,
      })),
    };
    return found;
  }
  // Writing takes long: the validation part has its turn where there is nothing better to be told of.
  const pairs = parts[part === 'all' ? 'train' : (part as 'valid' | 'test')];
  if (writes(plan) && (part !== 'valid' || parts.test.length === 0)) {
    const { loaded } = answerer;
    const writer = {
      ...answerer,
      // As the run's own model will write, whose file names what it was taught to end with.
      model: {
        ...loaded,
        generation: generationFile(loaded),
        model: network.model as TextModel,
        weights,
      },
    };
    const written = await writePart(engine, writer, plan, pairs as readonly TextPairSample[]);
    const found: WrittenPredictions = {
      ...base,
      result: { ...base.result, metrics: { ...written.metrics, ...metrics } },
      answers: written.answers,
    };
    return found;
  }
  if (task.name !== 'language-modeling' || pairs.length !== rows.length) return base;
  const found: WordPredictions = {
    ...base,
    worst: worstBlocks(rows, pairs as unknown as readonly TokenBlock[], answerer),
  };
  return found;
}

/** @param rows [sum of the losses, tokens] of each block */
function worstBlocks(
  rows: readonly Row[],
  blocks: readonly TokenBlock[],
  { base: { tokenizer } }: TextAnswerer,
): WordPredictions['worst'] {
  return rows
    .map(({ data }, i) => ({ block: blocks[i]!, loss: data[0]! / Math.max(1, data[1]!) }))
    .sort((a, b) => b.loss - a.loss)
    .slice(0, WORST)
    .map(({ block: { id, ids }, loss }) => ({
      id,
      text: tokenizer.decode([...ids], { skipSpecialTokens: true }),
      loss: short(loss),
    }));
}
