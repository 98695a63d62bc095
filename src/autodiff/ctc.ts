/** Connectionist temporal classification: the loss of sequence models without an alignment. */
import { ConfigError, DTypeError, ShapeError } from '../errors.js';
import { constant, formatType, type Tensor } from '../graph/index.js';
import {
  add,
  cast,
  concat,
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
  const never = (shape: readonly number[]) => full(dtype, shape, NEVER);
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
  const skip = where(
    logicalAnd(logicalNot(equal(path, twoBefore)), logicalNot(equal(path, blank))),
    zeros(dtype, [1, 1]),
    never([1, 1]),
  );

  const at = (from: number, to: number) => slice(scores, { starts: [from], ends: [to], axes: [0] });
  const start = reshape(at(0, 1), [batch, states]);
  const canStart = less(position(states), full('int64', [1, 1], 2));
  const first = where(canStart, start, never([1, 1]));
  const alive = less(
    constant(
      Array.from({ length: time - 1 }, (_, t) => t + 1),
      'int64',
      [time - 1, 1, 1],
    ),
    reshape(cast(inputLengths, 'int64'), [1, batch, 1]),
  );
  const { carry } = scan(
    ([alpha], [score, going]) => {
      const padded = concat([never([batch, 2]), alpha!], 1);
      const from = (shift: number) =>
        slice(padded, { starts: [2 - shift], ends: [2 - shift + states], axes: [1] });
      const next = add(logAdd([alpha!, from(1), add(from(2), skip)]), score!);
      return { carry: [where(going!, next, alpha!)] };
    },
    { init: [first], xs: [at(1, time), alive] },
  );

  // The last blank or, where there is one, the last symbol.
  const last = carry[0]!;
  const endBlank = mul(lengths, 2);
  const hasSymbol = greater(lengths, 0);
  const endSymbol = where(hasSymbol, sub(endBlank, 1), endBlank);
  const symbolScore = where(hasSymbol, gatherElements(last, endSymbol, 1), never([1, 1]));
  const ends = logAdd([gatherElements(last, endBlank, 1), symbolScore]);
  const loss = reshape(neg(ends), [batch]);
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
