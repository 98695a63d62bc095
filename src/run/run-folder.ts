/** The folder of a run: `run.json`, `metrics.jsonl`, `checkpoints/`, `model/`, `report.html`. */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, IoError } from '../errors.js';
import { writeWhole } from '../io/index.node.js';
import type { ImagePreprocess } from '../models/index.js';
import type { Metrics } from '../tasks/index.js';
import type { FitChoices } from './options.js';
import { LOCK } from './run-lock.js';

/** A `run.json` beyond this is not one of ours. */
const MAX_BYTES = 64 * 1024 * 1024;
const FORMAT = 1;
/** Files and folders that are written beside their place until they are whole. */
const LEFT_OVER = /\.[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;

/** Scores of one part of the data. */
export interface PartResult {
  readonly samples: number;
  readonly metrics: Metrics;
}

/** How the run ended. */
export interface RunResult {
  /** Of the test part, or of the validation part where there is none. */
  readonly metrics: Metrics;
  readonly valid: PartResult | null;
  readonly test: PartResult | null;
  /** Pass and step of the model that was kept. */
  readonly best: {
    readonly epoch: number;
    readonly step: number;
    readonly metrics: Metrics;
  } | null;
  readonly epochs: number;
  readonly steps: number;
  readonly seconds: number;
  readonly parameters: { readonly total: number; readonly trainable: number };
}

/** Everything that is needed to repeat a run, and what came of it. */
export interface RunRecord {
  readonly format: number;
  readonly graft: string;
  readonly created: string;
  /** `failed`: it would fail again in the same place, since a run repeats itself to the bit. */
  readonly status: 'running' | 'interrupted' | 'failed' | 'done';
  readonly choices: FitChoices;
  /** Whether the task was named, not recognised: what is read in pieces depends on it. True in older records. */
  readonly taskNamed?: boolean;
  readonly data: {
    /** What the samples are, in the plural; pictures in records of older versions. */
    readonly unit?: string;
    readonly classes: readonly string[];
    readonly train: number;
    readonly valid: number;
    readonly test: number;
    readonly split: string;
    readonly skipped: readonly { readonly id: string; readonly reason: string }[];
    /** Similar texts whose scores are no cosines: those that stand for cosines of 0 and 1. */
    readonly scores?: { readonly low: number; readonly high: number };
    /** Stands for the names, labels and parts of all samples. */
    readonly fingerprint: string;
    /** Texts that were longer than the model reads, and the tokens that this cost them. */
    readonly cut?: { readonly texts: number; readonly tokens: number; readonly maxTokens: number };
    /** Share of the tokens that stand for what the base does not know, where it is large. */
    readonly unknownTokens?: number;
    /** True: each text is two of them. */
    readonly pairs?: boolean;
    /** True: each file of texts is one of them, in the folder of its class. */
    readonly wholeFiles?: boolean;
    /** What else there is to know, in words. */
    readonly notes?: readonly string[];
  };
  readonly model: {
    readonly modelType: string;
    /** Pictures: what they become before the model reads them. */
    readonly preprocess?: ImagePreprocess;
    /** Texts: the most tokens. */
    readonly maxTokens?: number;
    /** Where the base was found (a commit's folder for one on the hub), and its licence. */
    readonly source?: { readonly path: string; readonly license?: string };
  };
  /** The score that chose the best model; accuracy in records of older versions. */
  readonly primary?: { readonly metric: string; readonly better: 'higher' | 'lower' };
  /** What a person types to repeat it. */
  readonly command: string;
  /** Where it ran: versions, device, threads. */
  readonly machine: Readonly<Record<string, string | number>>;
  readonly result?: RunResult;
  /** The same network and budget from random weights, when it was asked for. */
  readonly control?: RunResult;
}

/** Paths in a run's folder. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The first of NAME, NAME-2, NAME-3, ... below `parent` that is not there yet. */
  static async free(parent: string, name: string): Promise<RunFolder> {
    for (let n = 1; ; n++) {
      const path = join(parent, n === 1 ? name : `${name}-${n}`);
      if (!(await stat(path).catch(() => null))) return new RunFolder(path);
    }
  }

  get record(): string {
    return join(this.path, 'run.json');
  }
  get log(): string {
    return join(this.path, 'metrics.jsonl');
  }
  get checkpoints(): string {
    return join(this.path, 'checkpoints');
  }
  get features(): string {
    return join(this.path, 'features');
  }
  get events(): string {
    return join(this.path, 'tensorboard');
  }
  get model(): string {
    return join(this.path, 'model');
  }
  get report(): string {
    return join(this.path, 'report.html');
  }
  get predictions(): string {
    return join(this.path, 'predictions.json');
  }
  /** The folder of the control, a run of its own. */
  get control(): RunFolder {
    return new RunFolder(join(this.path, 'control'));
  }

  /**
   * Checks that nothing lies where a new run is to be written.
   * @throws ConfigError `out-exists` when something does; IoError `out` when that cannot be seen
   */
  async checkFree(): Promise<void> {
    let there: string[] = [];
    try {
      there = await readdir(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw new IoError(
        'out',
        `${this.path} cannot be used as a run's folder (${(error as NodeJS.ErrnoException).code}). Choose another one with --out.`,
        { path: this.path },
        { cause: error },
      );
    }
    // A run that was killed before it had written anything leaves no more than these.
    if (there.every((name) => name === LOCK || LEFT_OVER.test(name))) return;
    const run = there.includes('run.json');
    const failed = run && (await this.read().catch(() => null))?.status === 'failed';
    const what = failed
      ? 'holds a run that failed. Choose another folder with --out, or remove it.'
      : run
        ? 'holds a run already. Go on with it by --resume, or choose another folder with --out.'
        : 'is not empty. Choose another folder with --out.';
    throw new ConfigError(`${this.path} ${what}`, { path: this.path }, 'out-exists');
  }

  /** Removes what a killed process had begun to write. */
  async removeLeftOvers(): Promise<void> {
    for (const folder of [this, this.control]) {
      for (const place of [folder.path, folder.checkpoints, folder.features]) {
        const names = await readdir(place).catch(() => [] as string[]);
        const parts = names.filter((name) => LEFT_OVER.test(name));
        for (const name of parts) await rm(join(place, name), { recursive: true, force: true });
      }
    }
  }

  async write(record: RunRecord): Promise<void> {
    await this.writeJson(this.record, record);
  }

  async writeJson(path: string, value: unknown): Promise<void> {
    const text = `${JSON.stringify(value, null, 1)}\n`;
    await writeWhole(path, [new TextEncoder().encode(text)]);
  }

  /**
   * Reads `run.json` of a run that has ended.
   * @throws ConfigError when it has not, and as {@link RunFolder.read} does
   */
  async readEnded(): Promise<RunRecord> {
    const record = await this.read();
    if (record.result) return record;
    throw new ConfigError(
      `${this.path} has not ended (${record.status}). Go on with it by graft fit --resume --out ${this.path}.`,
      { run: this.path, status: record.status },
      'run-unfinished',
    );
  }

  /**
   * Reads `run.json`.
   * @throws ConfigError when there is none, or when it is no run of this version
   */
  async read(): Promise<RunRecord> {
    let text: string;
    try {
      text = await readFile(this.record, 'utf8');
    } catch (cause) {
      throw new ConfigError(
        `${this.path} is no run: it holds no readable run.json. Give the folder that graft fit wrote; a run that ended before it was written is begun anew: graft fit DATA --out ${this.path}.`,
        { path: this.path, cause: String(cause) },
        'no-run',
      );
    }
    const fail = (what: string): never => {
      throw new ConfigError(`${this.record} ${what}.`, { path: this.record }, 'no-run');
    };
    if (text.length > MAX_BYTES) fail('is too large to be a run');
    let record: Partial<RunRecord> = {};
    try {
      record = JSON.parse(text) as Partial<RunRecord>;
    } catch (error) {
      fail(`is damaged: ${(error as Error).message}`);
    }
    if (record?.format !== FORMAT || !record.choices || !record.data || !record.model) {
      fail(
        `was written by another version of graft (format ${record?.format}, expected ${FORMAT})`,
      );
    }
    return record as RunRecord;
  }
}

/** The first fields of a new record. */
export function newRecord(): Pick<RunRecord, 'format' | 'created' | 'status'> {
  return { format: FORMAT, created: new Date().toISOString(), status: 'running' };
}
