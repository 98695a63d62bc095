/** Errors as they go from one thread to another: a message keeps neither classes nor fields. */
import {
  ConfigError,
  DataError,
  DTypeError,
  EngineError,
  type ErrorData,
  GradientError,
  GraftError,
  HubError,
  IoError,
  ShapeError,
  WeightsError,
} from '../errors.js';

/** An error as a message; one that Graft did not throw goes as it is. */
export type SentError =
  | {
      readonly name: string;
      readonly code: string;
      readonly message: string;
      readonly data: ErrorData;
      readonly stack: string | undefined;
      readonly cause: SentError | undefined;
    }
  | { readonly other: unknown };

const CLASSES = new Map(
  [
    ...[ConfigError, DataError, DTypeError, EngineError, GradientError],
    ...[HubError, IoError, ShapeError, WeightsError],
  ].map((known) => [known.name, known.prototype as GraftError]),
);

/** What is to be sent of an error. */
export function sentError(error: unknown): SentError {
  if (!(error instanceof GraftError)) return { other: error };
  const { name, code, message, data, stack, cause } = error;
  return { name, code, message, data, stack, cause: cause ? sentError(cause) : undefined };
}

/** The error again, of the class that it was of. */
export function receivedError(sent: SentError): unknown {
  if ('other' in sent) return sent.other;
  const { name, code, message, data, stack, cause } = sent;
  const error = new GraftError(code, message, data, cause && { cause: receivedError(cause) });
  // The constructors differ, the fields do not.
  Object.setPrototypeOf(error, CLASSES.get(name) ?? GraftError.prototype);
  error.name = name;
  if (stack) error.stack = stack;
  return error;
}
