/** Assertions for suites that run in Node and inside a browser page, where there is no vitest. */
import { GraftError } from '../../src/errors.js';
import { type HostTensor, toNumbers } from '../../src/graph/index.js';

/** Fails with both values unless `got` equals `want` as JSON. */
export function same(what: string, got: unknown, want: unknown): void {
  const a = JSON.stringify(got);
  const b = JSON.stringify(want);
  if (a !== b) throw new Error(`${what}: got ${a}, expected ${b}`);
}

/** Fails unless every element is within 1e-4 (relative to 1 or to the value, if that is larger). */
export function near(what: string, got: readonly number[], want: readonly number[]): void {
  same(`${what}: number of values`, got.length, want.length);
  for (const [i, w] of want.entries()) {
    const error = Math.abs(got[i]! - w) / Math.max(1, Math.abs(w));
    if (!(error <= 1e-4)) throw new Error(`${what}: element ${i} is ${got[i]}, expected ${w}`);
  }
}

/** Fails unless the tensor has this type and, exactly, these values. */
export function holds(what: string, got: HostTensor, want: HostTensor): void {
  same(`${what}: type`, [got.dtype, got.shape], [want.dtype, want.shape]);
  // As text, because JSON has neither bigint nor a minus zero.
  same(what, Array.from(got.data, String), Array.from(want.data, String));
}

/** Fails unless the tensor has this shape and nearly these values. */
export function holdsNear(
  what: string,
  got: HostTensor,
  shape: readonly number[],
  want: readonly number[],
): void {
  same(`${what}: shape`, got.shape, shape);
  near(what, toNumbers(got), want);
}

/** Fails unless `call` rejects with a Graft error of this code whose message matches. */
export async function rejects(
  call: () => Promise<unknown>,
  code: string,
  message: RegExp,
): Promise<void> {
  let outcome: unknown;
  try {
    outcome = await call();
  } catch (error) {
    if (!(error instanceof GraftError)) throw error;
    same('error code', error.code, code);
    if (!message.test(error.message)) {
      throw new Error(`the message ${JSON.stringify(error.message)} does not match ${message}`);
    }
    return;
  }
  throw new Error(`expected an error with code '${code}', got ${String(outcome)}`);
}
