/**
 * The line that tells a person at a terminal how far a run is; plain lines, now and then, where
 * stderr is a file or a pipe. It goes to stderr, so that stdout holds results only.
 */

/** What is known after a step. */
export interface ProgressState {
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps done over the whole run, and steps there will be. */
  readonly step: number;
  readonly steps: number;
  /** What steps are where they are none of training; shown in the place of epoch and step. */
  readonly of?: 'files' | 'texts' | 'bytes' | 'batches' | undefined;
  /** Part of the method that is running, such as `head`. */
  readonly phase?: string;
  /** Shown in this order, such as `loss` and `accuracy`. */
  readonly values: Readonly<Record<string, number>>;
}

/** Where lines go: `process.stderr`, or what a test gives. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal, characters. */
  readonly columns?: number;
}

/** How progress is shown. */
export interface ProgressOptions {
  readonly stream?: ProgressStream;
  /** A clock in milliseconds that never goes back. */
  readonly now?: () => number;
}

/** Redraws at most this often on a terminal: faster than the eye follows costs time for nothing. */
const REDRAW_MS = 100;
/** A plain line at most this often elsewhere, so that logs stay short. */
const LINE_MS = 5000;
/** Steps whose median is the time of a step: long enough for a steady guess, short enough to follow a new phase. */
const WINDOW = 101;
const BAR_WIDTH = 24;

/** Milliseconds for people: `0:42`, `12:07`, `3:05:00`. */
export function clockTime(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Without what would move the cursor or colour the screen: file names may hold anything. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, (c) => (c === '\n' || c === '\t' ? ' ' : '\ufffd'));
}

/** Four digits that matter: `0.6931`, `12.35`, `1.2e-5`. */
function short(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(1);
  return value.toFixed(size < 10 ? 4 : size < 1000 ? 2 : 0);
}

function bar(part: number): string {
  const eighths = Math.round(Math.min(Math.max(part, 0), 1) * BAR_WIDTH * 8);
  const full = '█'.repeat(Math.floor(eighths / 8));
  const tip = eighths % 8 ? (['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '') : '';
  return (full + tip).padEnd(BAR_WIDTH, '·');
}

const MIB = 1024 * 1024;

/** How far it is. */
function counted({ of, epoch, epochs, step, steps }: ProgressState): string[] {
  if (of === undefined) return [`epoch ${epoch}/${epochs}`, `step ${step}/${steps}`];
  if (of !== 'bytes') return [`${step}/${steps} ${of}`];
  const mib = (n: number) => (n / MIB).toFixed(1);
  return steps < MIB ? [`${step}/${steps} bytes`] : [`${mib(step)}/${mib(steps)} MiB`];
}

/** Shows the progress of one run. */
export class ProgressLine {
  private readonly stream: ProgressStream;
  private readonly now: () => number;
  private readonly started: number;
  /** Milliseconds of the latest steps. */
  private readonly times: number[] = [];
  private lastStep: number | undefined;
  private lastStepAt = 0;
  private shownAt = Number.NEGATIVE_INFINITY;
  /** The state shown last, or not yet shown. */
  private state: ProgressState | undefined;
  /** A bar stands on the terminal's last line. */
  private drawn = false;

  constructor({ stream = process.stderr, now = () => performance.now() }: ProgressOptions = {}) {
    this.stream = stream;
    this.now = now;
    this.started = now();
  }

  /** Tells of a step that was made; shown when something was not shown a moment ago. */
  update(state: ProgressState): void {
    const now = this.now();
    if (state.phase !== this.state?.phase) {
      // What a step took while the data was read, or before the trunk moved, tells nothing of now.
      this.times.length = 0;
      this.lastStep = undefined;
    }
    if (this.lastStep !== undefined && state.step > this.lastStep) {
      this.times.push((now - this.lastStepAt) / (state.step - this.lastStep));
      if (this.times.length > WINDOW) this.times.shift();
    }
    this.lastStep = state.step;
    this.lastStepAt = now;
    this.state = state;
    const interval = this.stream.isTTY ? REDRAW_MS : LINE_MS;
    if (now - this.shownAt >= interval || state.step === state.steps) this.show();
  }

  /**
   * Time left, milliseconds, by the median of the phase's latest steps: pauses for evaluation and checkpoints
   * do not disturb it. Undefined before the second step of a phase.
   */
  remaining(): number | undefined {
    if (!this.state || this.times.length === 0) return undefined;
    const sorted = this.times.toSorted((a, b) => a - b);
    const half = sorted.length >> 1;
    const median = sorted.length & 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
    return median * Math.max(0, this.state.steps - this.state.step);
  }

  /** A line of its own, such as a warning or the result of an epoch. */
  note(text: string): void {
    this.clear();
    this.stream.write(`${printable(text)}\n`);
    if (this.stream.isTTY && this.state) this.show();
  }

  /** Takes the bar away and, if there is one, writes a last line. */
  done(text?: string): void {
    this.clear();
    if (text !== undefined) this.stream.write(`${printable(text)}\n`);
    this.state = undefined;
  }

  private clear(): void {
    if (this.drawn) this.stream.write('\r\x1b[K');
    this.drawn = false;
  }

  private show(): void {
    this.shownAt = this.now();
    const line = this.line();
    if (this.stream.isTTY) {
      // One column stays free: a terminal that wraps would keep every line.
      const width = Math.max(1, (this.stream.columns ?? 80) - 1);
      this.stream.write(`\r${[...line].slice(0, width).join('')}\x1b[K`);
      this.drawn = true;
    } else this.stream.write(`${line}\n`);
  }

  private line(): string {
    const { step, steps, phase, values } = this.state!;
    const left = this.remaining();
    const time = `${clockTime(this.now() - this.started)}${left === undefined ? '' : `, ${clockTime(left)} left`}`;
    const numbers = Object.entries(values).map(([name, v]) => `${name} ${short(v)}`);
    const share = steps > 0 ? step / steps : 1;
    const parts = [...counted(this.state!), ...(phase ? [phase] : []), ...numbers, time];
    const text = parts.map(printable).join('  ');
    if (!this.stream.isTTY) return `${String(Math.floor(share * 100)).padStart(3)} %  ${text}`;
    // A narrow terminal has the numbers rather than the bar.
    const room = (this.stream.columns ?? 80) - 1 - text.length;
    return room > BAR_WIDTH + 1 ? `${bar(share)}  ${text}` : text;
  }
}
