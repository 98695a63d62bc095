/** Connectionist temporal classification: the loss of sequence models without an alignment. */
import { ConfigError, DTypeError, ShapeError } from '../errors.js';
import { constant, formatType, type Tensor } from '../graph/index.js';
import {
  add,
  cast,
  concat,
  customGradient,
  div,
  equal,
  exp,
  expand,
  full,
  gatherElements,
  greater,
  less,
  log,
  logicalAnd,
  logicalNot,
  logicalOr,
  max,
  maximum,
  mul,
  neg,
  reshape,
  slice,
  stopGradient,
  sub,
  sum,
  where,
  zeros,
} from '../ops/index.js';
import { scan } from './scan.js';

/**
 * Log of a probability of 0. A true minus infinity would make NaN in differences; this one is so
 * far below any sum of log probabilities that it never wins a maximum against one.
 */
const NEVER = -1e30;
/** Losses above this mean that no alignment exists. */
const IMPOSSIBLE = 1e29;

/** Options of {@link ctcLoss}. */
export interface CtcOptions {
  /** Class that stands for "no symbol". Defaults to 0. */
  readonly blank?: number;
  /** Zero loss where the target does not fit into the input, instead of infinity. Default false. */
  readonly zeroInfinity?: boolean;
  /**
   * `mean`: each loss over its target's length, then the mean of the batch; `sum`; or `none`: one
   * loss a sample. Defaults to `mean`.
   */
  readonly reduction?: 'mean' | 'sum' | 'none';
}

/** log(e^a + e^b + ...); the maximum only guards against overflow, so no gradient goes through it. */
function logAdd(terms: readonly Tensor[]): Tensor {
  const top = stopGradient(terms.reduce((a, b) => maximum(a, b)));
  const total = terms.map((t) => exp(sub(t, top))).reduce((a, b) => add(a, b));
  return add(log(total), top);
}

function column(t: Tensor): Tensor {
  return reshape(t, [t.size, 1]);
}

function rows(t: Tensor, from: number, to: number): Tensor {
  return slice(t, { starts: [from], ends: [to], axes: [0] });
}

/** The states' values (the last axis) moved up by 0, 1 and 2 places, or down where `by` is -1. */
function moved(values: Tensor, by: 1 | -1): [Tensor, Tensor, Tensor] {
  const [batch, states] = values.shape as [number, number];
  const edge = full(values.dtype, [batch, 2], NEVER);
  const padded = by > 0 ? concat([edge, values], 1) : concat([values, edge], 1);
  const from = (first: number) =>
    slice(padded, { starts: [first], ends: [first + states], axes: [1] });
  return by > 0 ? [values, from(1), from(0)] : [values, from(1), from(2)];
}

/**
 * Log chance of the outputs up to t with the alignment in state s at t, [time, batch, states].
 * Behind a sample's length the last one is repeated.
 */
function forward(scores: Tensor, start: Tensor, skip: Tensor, alive: Tensor): Tensor {
  const time = scores.shape[0]!;
  const { ys } = scan(
    ([alpha], [score, going]) => {
      const [stay, step, jump] = moved(alpha!, 1);
      const next = add(logAdd([stay, step, add(jump, skip)]), score!);
      const kept = where(going!, next, alpha!);
      return { carry: [kept], ys: [kept] };
    },
    {
      init: [reshape(start, start.shape.slice(1))],
      xs: [rows(scores, 1, time), rows(alive, 1, time)],
    },
  );
  return concat([start, ys[0]!], 0);
}

/** Log chance of the outputs after t, given the alignment is in state s at t. */
function backward(scores: Tensor, skip: Tensor, end: Tensor, alive: Tensor): Tensor {
  const time = scores.shape[0]!;
  const [, , jumpable] = moved(skip, -1);
  const { ys } = scan(
    ([beta], [score, going]) => {
      const [stay, step, jump] = moved(add(beta!, score!), -1);
      const kept = where(going!, logAdd([stay, step, add(jump, jumpable)]), beta!);
      return { carry: [kept], ys: [kept] };
    },
    { init: [end], xs: [rows(scores, 1, time), rows(alive, 1, time)], reverse: true },
  );
  return concat([ys[0]!, reshape(end, [1, ...end.shape])], 0);
}

/**
 * Log chance of each sample's target, [batch]. d/d scores = the chance that the alignment is in
 * this state at this time, from both recursions; it replaces the gradient through `alphas`, which
 * would walk back through every step of the forward one.
 */
const logLikelihood = customGradient(
  (scores, alphas, _skip, end) => {
    const last = rows(alphas!, scores!.shape[0]! - 1, scores!.shape[0]!);
    const ends = add(reshape(last, end!.shape), end!);
    const top = stopGradient(max(ends, { axes: 1, keepDims: true }));
    return add(reshape(top, [end!.shape[0]!]), log(sum(exp(sub(ends, top)), { axes: 1 })));
  },
  ({ inputs: [scores, alphas, skip, end, alive], outputs: [total], dys: [dy] }) => {
    const betas = backward(scores!, skip!, end!, alive!);
    const perSample = (t: Tensor) => reshape(t, [1, t.size, 1]);
    const chance = exp(sub(add(alphas!, betas), perSample(total!)));
    const counted = where(alive!, chance, zeros(scores!.dtype, [1, 1, 1]));
    return [mul(counted, perSample(dy!)), null, null, null, null];
  },
);

/**
 * Minus the log of the chance that some alignment of the outputs spells the target, by the forward
 * recursion in log space. A sample whose target cannot be spelt in its input's length has infinite
 * loss, and a zero gradient.
 * @param logProbs [time, batch, classes], normalised over the classes (logSoftmax)
 * @param targets [batch, symbols] class ids, int64 or int32; what lies beyond a length is ignored
 * @param inputLengths [batch] steps that count
 * @param targetLengths [batch] symbols that count
 * @returns a scalar, or [batch] without reduction
 * @see https://www.cs.toronto.edu/~graves/icml_2006.pdf
 */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Tensor,
  targetLengths: Tensor,
  { blank = 0, zeroInfinity = false, reduction = 'mean' }: CtcOptions = {},
): Tensor {
  checkTypes(logProbs, targets, inputLengths, targetLengths, blank);
  const [time, batch] = logProbs.shape as [number, number, number];
  const symbols = targets.shape[1]!;
  const states = 2 * symbols + 1;
  const { dtype } = logProbs;
  const lengths = column(cast(targetLengths, 'int64'));
  const position = (n: number) =>
    constant(
      Array.from({ length: n }, (_, i) => i),
      'int64',
      [1, n],
    );

  // blank, first symbol, blank, second symbol, ..., blank.
  const known = where(
    less(position(symbols), lengths),
    cast(targets, 'int64'),
    full('int64', [1, 1], blank),
  );
  const blanks = full('int64', [batch, symbols, 1], blank);
  const pairs = concat([blanks, reshape(known, [batch, symbols, 1])], 2);
  const path = concat([reshape(pairs, [batch, 2 * symbols]), full('int64', [batch, 1], blank)], 1);
  const index = expand(reshape(path, [1, batch, states]), [time, batch, states]);
  const scores = gatherElements(logProbs, index, 2);

  // A state may be entered from two before unless that would skip a blank between equal symbols.
  const twoBefore = slice(concat([full('int64', [batch, 2], blank), path], 1), {
    starts: [0],
    ends: [states],
    axes: [1],
  });
  const never = full(dtype, [1, 1], NEVER);
  const free = zeros(dtype, [1, 1]);
  const skip = where(
    logicalAnd(logicalNot(equal(path, twoBefore)), logicalNot(equal(path, blank))),
    free,
    never,
  );
  // An alignment ends in the last symbol or in the blank behind it.
  const behind = sub(mul(lengths, 2), position(states));
  const end = where(logicalOr(equal(behind, 0), equal(behind, 1)), free, never);
  const alive = less(
    constant(
      Array.from({ length: time }, (_, t) => t),
      'int64',
      [time, 1, 1],
    ),
    reshape(cast(inputLengths, 'int64'), [1, batch, 1]),
  );
  const start = where(less(position(states), full('int64', [1, 1], 2)), rows(scores, 0, 1), never);
  const alphas = forward(scores, start, skip, alive);
  const loss = neg(logLikelihood(scores, alphas, skip, end, alive));
  const impossible = zeroInfinity ? 0 : Number.POSITIVE_INFINITY;
  const losses = where(greater(loss, IMPOSSIBLE), full(dtype, [1], impossible), loss);
  if (reduction === 'none') return losses;
  if (reduction === 'sum') return sum(losses);
  const symbolsOf = maximum(reshape(lengths, [batch]), 1);
  return div(sum(div(losses, cast(symbolsOf, dtype))), batch);
}

function checkTypes(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Tensor,
  targetLengths: Tensor,
  blank: number,
): void {
  if (logProbs.dtype !== 'float32' && logProbs.dtype !== 'float64') {
    throw new DTypeError(
      `ctcLoss: logProbs must be float32 or float64, got ${formatType(logProbs)}. Cast them with cast(x, 'float32').`,
      { op: 'ctcLoss', dtype: logProbs.dtype },
    );
  }
  if (logProbs.rank !== 3 || logProbs.shape[0]! < 1) {
    throw new ShapeError(
      `ctcLoss: logProbs must be [time, batch, classes] with at least one step, got ${formatType(logProbs)}. Transpose [batch, time, classes] with transpose(x, [1, 0, 2]).`,
      { op: 'ctcLoss' },
    );
  }
  const batch = logProbs.shape[1]!;
  if (targets.rank !== 2 || targets.shape[0] !== batch || targets.shape[1]! < 1) {
    throw new ShapeError(
      `ctcLoss: targets must be [${batch}, symbols], at least one symbol wide, for ${formatType(logProbs)}, got ${formatType(targets)}. Pad all targets to one length.`,
      { op: 'ctcLoss' },
    );
  }
  for (const t of [inputLengths, targetLengths]) {
    if (t.rank !== 1 || t.shape[0] !== batch) {
      throw new ShapeError(`ctcLoss: lengths must be [${batch}], got ${formatType(t)}.`, {
        op: 'ctcLoss',
      });
    }
  }
  for (const t of [targets, inputLengths, targetLengths]) {
    if (t.dtype !== 'int64' && t.dtype !== 'int32') {
      throw new DTypeError(
        `ctcLoss: targets and lengths must be int64 or int32, got ${formatType(t)}.`,
        { op: 'ctcLoss' },
      );
    }
  }
  if (!Number.isInteger(blank) || blank < 0 || blank >= logProbs.shape[2]!) {
    throw new ConfigError(
      `ctcLoss: the blank must be one of the ${logProbs.shape[2]} classes, got ${blank}.`,
      { blank },
    );
  }
}
