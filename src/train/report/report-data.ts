/**
 * What a report says. Plain JSON all through, so that it can be kept, sent and made again; texts are
 * taken as they are (file and class names come from strangers) and escaped where they are written.
 */
import type { ClassScores, ReliabilityBin } from '../../metrics/index.js';
import type { LogRecord } from '../metrics-log.js';

/** All of a report. Parts that are left out are left out of the page too. */
export interface ReportData {
  /** What was learned, such as the name of the data set. */
  readonly title: string;
  /** When the report was made, ISO 8601. */
  readonly created: string;
  readonly run: ReportRun;
  /** Results on `split`, the most telling first: that one is shown large. */
  readonly metrics: readonly ReportMetric[];
  /** What the results and everything about single samples was measured on, such as `valid`. */
  readonly split: string;
  readonly comparison?: ReportComparison;
  /** The lines of metrics.jsonl. Values become charts by their names; `lr` and those that begin with `lr.` share one. */
  readonly log: readonly LogRecord[];
  /** Step and epoch of the model that was kept. */
  readonly best?: { readonly step: number; readonly epoch: number };
  readonly classes?: ReportClasses;
  /** Results by label, where a sample may have several, or by type of entity. */
  readonly groups?: ReportGroups;
  /** Of a number: what was predicted beside what is right, in the order of the samples. */
  readonly scatter?: {
    readonly expected: readonly number[];
    readonly predicted: readonly number[];
    /** Pearson's. */
    readonly correlation: number;
  };
  readonly calibration?: {
    readonly bins: readonly ReliabilityBin[];
    /** Expected calibration error, 0 to 1. */
    readonly error: number;
  };
  /** Samples with the highest loss, worst first. */
  readonly topLosses?: readonly ReportSample[];
  /** Mistakes with the place that the model looked at, worst first. */
  readonly attention?: readonly ReportAttention[];
  /** Some answers of a model that answers in words or tags. */
  readonly answers?: readonly ReportAnswer[];
  /** What else there is to know of the data, in words. */
  readonly notes?: readonly string[];
  /** Files, or rows of files, that were left out. */
  readonly skipped?: readonly { readonly id: string; readonly reason: string }[];
  readonly timing?: ReportTiming;
}

/** What was run and how to run it again. */
export interface ReportRun {
  /** Hugging Face's name of the task. */
  readonly task: string;
  /** The command line that repeats the run. */
  readonly command: string;
  readonly seed: number;
  /** Name of the base, and where it comes from. */
  readonly base: string;
  readonly method: string;
  /** Where it ran, such as `cpu, 2 threads`. */
  readonly device: string;
  readonly data: {
    readonly path: string;
    /** How the parts came about, in words. */
    readonly split: string;
    /** Samples of each part. */
    readonly counts: Readonly<Record<string, number>>;
    /** What is left out where it cannot be used: a file by default. */
    readonly piece?: 'file' | 'row';
  };
  /** Numbers of elements. */
  readonly parameters: { readonly total: number; readonly trainable: number };
  /** Options by their names, those with default values too. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** Programs and libraries by name: `graftml`, `node`, `onnxruntime`. */
  readonly versions: Readonly<Record<string, string>>;
}

/** One result. */
export interface ReportMetric {
  /** The name that logs use, such as `accuracy`. */
  readonly name: string;
  readonly value: number;
  /** Range in which the value is believed to lie, and with which chance. */
  readonly interval?: { readonly low: number; readonly high: number; readonly level: number };
}

/** The same budget with the base and from scratch, one value a seed. */
export interface ReportComparison {
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly transfer: readonly number[];
  readonly scratch: readonly number[];
  /** What was held equal, such as `5 epochs of 244 pictures`. */
  readonly budget: string;
  /** What a reader of the comparison must know. */
  readonly note?: string;
}

/** Results by class. */
export interface ReportClasses {
  readonly names: readonly string[];
  /** [classes, classes], row = right class, column = predicted class. */
  readonly confusion: readonly number[];
  /** One entry a class. */
  readonly scores: readonly ClassScores[];
}

/** Results by groups that may overlap. */
export interface ReportGroups {
  /** What they are, in the plural: labels, types of entities. */
  readonly named: string;
  readonly rows: readonly (Pick<ClassScores, 'precision' | 'recall' | 'f1' | 'support'> & {
    readonly label: string;
  })[];
}

/** A sample and what was made of it. */
export interface ReportSample {
  /** Path of the sample within the data. */
  readonly id: string;
  /** Small picture, `data:image/jpeg;base64,...` (PNG and WebP do too); others are not shown. */
  readonly thumbnail?: string;
  /** The sample itself, where it is a text. */
  readonly text?: string;
  /** Indices into the classes. */
  readonly actual: number;
  readonly predicted: number;
  /** Of the predicted class. */
  readonly probability: number;
  /** Of the right class. */
  readonly actualProbability: number;
  readonly loss: number;
}

/** What was asked, what would have been right, and what was answered; in words. */
export interface ReportAnswer {
  /** What it cost the model; where answers have one, they come worst first. */
  readonly loss?: number;
  readonly id: string;
  readonly asked: string;
  readonly expected: string;
  readonly answer: string;
}

/** A sample with the parts of it that spoke for the predicted class. */
export interface ReportAttention extends ReportSample {
  readonly thumbnail: string;
  readonly heat: ReportHeat;
}

/** How much each part of a picture counted, such as Grad-CAM gives; any scale, at least 0. */
export interface ReportHeat {
  readonly height: number;
  readonly width: number;
  /** [height, width]. In data that is kept as JSON a plain array. */
  readonly values: Float32Array | readonly number[];
}

/** Where the time went. */
export interface ReportTiming {
  /** Wall time of the run, seconds. */
  readonly seconds: number;
  /** Parts of it by name, seconds; what they leave is shown as the rest. */
  readonly parts?: Readonly<Record<string, number>>;
  /** Median time of a step, milliseconds. */
  readonly stepMs?: number;
  /** Samples trained on in a second. */
  readonly samplesPerSecond?: number;
  /** Largest resident memory, bytes. */
  readonly peakBytes?: number;
}
