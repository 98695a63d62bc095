/** Decoded pictures and how they are told apart. */

/** A decoded picture: 8-bit red, green, blue, row by row. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] */
  readonly data: Uint8Array;
}

/** A picture with its label. */
export interface ImageSample {
  /** Path relative to the data set's root, `/` between parts; its name in reports. */
  readonly id: string;
  /** Where its bytes are. */
  readonly file: string;
  /** Index into the data set's classes. */
  readonly label: number;
  /** Samples of one group (a person, a series of shots) never lie on both sides of a split. */
  readonly group?: string;
  /** Stands for the file's content, as far as its size and its time of change tell. */
  readonly version?: string;
}

/** A file that was left out, and why. */
export interface Skipped {
  readonly id: string;
  readonly reason: string;
}

/** A labelled set of pictures, split. */
export interface ImageDataset {
  readonly root: string;
  readonly classes: readonly string[];
  readonly train: readonly ImageSample[];
  readonly valid: readonly ImageSample[];
  /** Empty when the data has no test part. */
  readonly test: readonly ImageSample[];
  readonly skipped: readonly Skipped[];
  /** How the validation part came about, for people. */
  readonly split: string;
}
