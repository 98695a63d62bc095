/** A run's data and base, whatever they are of: what a whole run needs of them. */
import type { Engine } from '../engine/index.js';
import type { Network, Role } from '../models/index.js';
import type { Weights } from '../nn/index.js';
import type { TaskDefinition } from '../tasks/index.js';
import type { BatchStream } from '../train/index.js';
import type { FitChoices } from './options.js';
import type { PartPredictions } from './predictions.js';
import type { RunFolder, RunRecord } from './run-folder.js';
import type { RunListener } from './train-run.js';

/** A network with a head for the data at hand, ready to be adapted. */
export interface PreparedNetwork {
  readonly model: Network;
  readonly weights: Weights;
  /** Stands for the network: its type and configuration. */
  readonly structure: string;
  readonly isHead: (path: string) => boolean;
  readonly hasRole: (path: string, role: Role) => boolean;
  readonly modality: 'image' | 'text';
  /** Channels of the hidden states of a text model. */
  readonly width?: number;
  /** The head came with the base. */
  readonly headTrained: boolean;
}

/** A stream whose samples have names. */
export interface NamedStream extends BatchStream {
  readonly ids: readonly string[];
}

/** The streams of all parts. */
export interface RunStreams {
  readonly train: NamedStream;
  readonly valid: NamedStream | null;
  readonly test: NamedStream | null;
  /** Ends all that reads for them. */
  close(): Promise<void>;
}

/** A part that a finished model is asked about. */
export interface AskedPart {
  /** `valid` or `test`. */
  readonly part: string;
  readonly stream: NamedStream;
  readonly signal?: AbortSignal | undefined;
}

/** Data that was read and a base that was found to fit. Nothing is written before it is made. */
export interface Workload {
  readonly task: TaskDefinition;
  /** As `run.json` keeps it. */
  readonly data: RunRecord['data'];
  readonly model: RunRecord['model'];
  /** The choices, with what was recognised or follows from the data filled in. */
  readonly choices: FitChoices;
  /** The base with a head for the data; with `fresh` the same network from random weights. */
  prepare(fresh: boolean): Promise<PreparedNetwork>;
  streams(): Promise<RunStreams>;
  predict(network: PreparedNetwork, weights: Weights, part: AskedPart): Promise<PartPredictions>;
  /** Writes a folder in Hugging Face's layout. */
  save(path: string, network: PreparedNetwork, weights: Weights): Promise<void>;
  /** Writes `report.html`. */
  report(folder: RunFolder, record: RunRecord): Promise<void>;
}

/** What a workload is opened with. */
export interface WorkloadContext {
  readonly engine: Engine;
  readonly listener: RunListener;
  readonly signal?: AbortSignal | undefined;
  /** False: what is learned from texts is found out from their columns. */
  readonly taskKnown: boolean;
  /** Whether it was known when the run was begun; large plain text is read in pieces either way. */
  readonly taskNamed: boolean;
}
