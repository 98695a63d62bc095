/**
 * The tree of errors that Graft throws. Every message says what was expected, what came and what
 * to do; `code` is stable for programs, `data` carries the values that the message speaks of.
 */

/** Values an error speaks of, for programs that want more than the text. */
export type ErrorData = Readonly<Record<string, unknown>>;

/** Base of all errors thrown on purpose by Graft. */
export class GraftError extends Error {
  /** Stable, machine-readable name of the fault, such as `shape` or `device-missing`. */
  readonly code: string;
  readonly data: ErrorData;

  constructor(code: string, message: string, data: ErrorData = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.data = data;
  }
}

/** Shapes that do not fit together; thrown while tracing, before anything runs. */
export class ShapeError extends GraftError {
  constructor(message: string, data: ErrorData = {}) {
    super('shape', message, data);
  }
}

/** An element type that an operation does not take. */
export class DTypeError extends GraftError {
  constructor(message: string, data: ErrorData = {}) {
    super('dtype', message, data);
  }
}

/** A gradient was asked for where none is defined. */
export class GradientError extends GraftError {
  constructor(message: string, data: ErrorData = {}) {
    super('gradient', message, data);
  }
}

/** A wrong option, name or combination given by the caller. */
export class ConfigError extends GraftError {
  constructor(message: string, data: ErrorData = {}, code = 'config') {
    super(code, message, data);
  }
}

/** A model file or weight set that is damaged, hostile, or does not fit. */
export class WeightsError extends GraftError {
  constructor(message: string, data: ErrorData = {}, options?: { cause?: unknown; code?: string }) {
    super(options?.code ?? 'weights', message, data, options);
  }
}

/** Data that cannot be learned from: no pictures, one class only, labels that contradict, a damaged file. */
export class DataError extends GraftError {
  constructor(message: string, data: ErrorData = {}, options?: { cause?: unknown; code?: string }) {
    super(options?.code ?? 'data', message, data, options);
  }
}

/** The execution engine failed: session creation, a missing provider, a run, a NaN located. */
export class EngineError extends GraftError {
  constructor(code: string, message: string, data: ErrorData = {}, options?: { cause?: unknown }) {
    super(code, message, data, options);
  }
}

/** A model hub or its cache did not give what was asked for: `code` says why, from `hub-not-found` to `hub-offline`. */
export class HubError extends GraftError {}

/** Files, folders or the network: something is missing, unreadable, full or refused. */
export class IoError extends GraftError {
  constructor(code: string, message: string, data: ErrorData = {}, options?: { cause?: unknown }) {
    super(code, message, data, options);
  }
}
