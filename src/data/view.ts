/** Views: which part of a picture becomes the model's input, and at which size. */
import { ConfigError } from '../errors.js';
import type { ImagePreprocess, Resample } from '../models/index.js';
import type { KeyedRandom } from '../util/index.js';
import { flipHorizontal } from './geometry.js';
import type { Pixels } from './image.js';
import { type Box, resample } from './resample.js';

/** A part of a picture is resized, a window of that is cut out and perhaps mirrored. */
export interface View {
  /** The part of the picture that is resized. */
  readonly box: Box;
  /** The size it gets. */
  readonly size: { readonly width: number; readonly height: number };
  /** What is cut from the resized part; what lies outside of it is black, as torchvision pads. */
  readonly window: Box;
  /** Mirrored left to right at the end. */
  readonly flip: boolean;
  readonly filter: Resample;
}

/** The view of a picture, once its upright size in pixels is known. */
export type ViewOf = (width: number, height: number) => View;

/** One of the views that are averaged when a model is tested. */
export interface TestView {
  readonly name: string;
  /** Where the window lies, 0 (left, top) to 1 (right, bottom). */
  readonly x: number;
  readonly y: number;
  readonly flip: boolean;
}

/** Python's `round`: halves go to the even neighbour, which decides where a centre crop lies. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

const at = (name: string, x: number, y: number): TestView => ({ name, x, y, flip: false });
const CENTRE = at('centre', 0.5, 0.5);
const FIVE = [
  CENTRE,
  at('top left', 0, 0),
  at('top right', 1, 0),
  at('bottom left', 0, 1),
  at('bottom right', 1, 1),
];
const mirrored = (view: TestView): TestView => ({
  ...view,
  name: `${view.name}, mirrored`,
  flip: true,
});

/** Views of one picture whose predictions are averaged, by name. */
export const TEST_VIEWS = {
  none: [CENTRE],
  flip: [CENTRE, mirrored(CENTRE)],
  'five-crop': FIVE,
  'ten-crop': [...FIVE, ...FIVE.map(mirrored)],
} as const satisfies Record<string, readonly TestView[]>;

/** Offset of a window on one axis. */
function offset(size: number, window: number, position: number): number {
  if (window > size) return -Math.floor((window - size) / 2);
  return position === 0.5
    ? roundHalfEven((size - window) / 2)
    : Math.round((size - window) * position);
}

/** Size of a picture whose short side is to be `side`, as torchvision and transformers compute it. */
function shortSideSize(width: number, height: number, side: number) {
  return width <= height
    ? { width: side, height: Math.trunc((side * height) / width) }
    : { width: Math.trunc((side * width) / height), height: side };
}

/**
 * The view that a model is evaluated on. Sizes and offsets round as in torchvision, so that the
 * pixels are those of its `Resize` and `CenterCrop` on Pillow pictures.
 *
 * Views off the centre need room to move: where the preprocessing leaves less than an eighth of
 * the side (the usual 224 of 256), the picture is first resized to leave so much.
 */
export function evalView(preprocess: ImagePreprocess, test: TestView = CENTRE): ViewOf {
  const { width, height, fit, resample: filter } = preprocess;
  const shortSide = preprocess.shortSide ?? Math.min(width, height);
  const centred = test.x === 0.5 && test.y === 0.5;
  const roomy = (side: number) => Math.round((side * 8) / 7);
  return (w, h) => {
    let size = { width, height };
    if (fit === 'crop') {
      const side = centred ? shortSide : Math.max(shortSide, roomy(Math.min(width, height)));
      size = shortSideSize(w, h, side);
    } else if (!centred) size = { width: roomy(width), height: roomy(height) };
    const left = offset(size.width, width, test.x);
    const top = offset(size.height, height, test.y);
    return {
      box: { left: 0, top: 0, width: w, height: h },
      size,
      window: { left, top, width, height },
      flip: test.flip,
      filter,
    };
  };
}

/** Ranges of a random crop. */
export interface CropRange {
  /** Share of the picture's area, in (0, 1]. */
  readonly scale: readonly [number, number];
  /** Width / height of the part that is cut. */
  readonly ratio: readonly [number, number];
}

/** A box of random area and shape, as torchvision's RandomResizedCrop chooses it. */
export function randomBox(random: KeyedRandom, w: number, h: number, range: CropRange): Box {
  const { scale, ratio } = range;
  const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = w * h * random.uniform(4 * attempt, scale[0], scale[1]);
    const shape = Math.exp(random.uniform(4 * attempt + 1, low, high));
    const width = roundHalfEven(Math.sqrt(area * shape));
    const height = roundHalfEven(Math.sqrt(area / shape));
    if (width < 1 || width > w || height < 1 || height > h) continue;
    const top = random.integer(4 * attempt + 2, h - height + 1);
    const left = random.integer(4 * attempt + 3, w - width + 1);
    return { left, top, width, height };
  }
  // No box of such a shape fits in: the largest in the middle that keeps the ratio in range.
  const width = w / h > ratio[1] ? Math.min(w, roundHalfEven(h * ratio[1])) : w;
  const height = w / h < ratio[0] ? Math.min(h, roundHalfEven(w / ratio[0])) : h;
  return { left: (w - width) >> 1, top: (h - height) >> 1, width, height };
}

/** The view of a random crop; the same random numbers give the same view. */
export function cropView(
  { width, height, resample: filter }: ImagePreprocess,
  random: KeyedRandom,
  range: CropRange,
): ViewOf {
  return (w, h) => ({
    box: randomBox(random, w, h, range),
    size: { width, height },
    window: { left: 0, top: 0, width, height },
    flip: false,
    filter,
  });
}

/** `inner` set into a black picture of the window's size. */
function padded(inner: Pixels, left: number, top: number, width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < inner.height; y++) {
    const line = inner.data.subarray(y * inner.width * 3, (y + 1) * inner.width * 3);
    data.set(line, ((top + y) * width + left) * 3);
  }
  return { width, height, data };
}

/**
 * The pixels of a view.
 * @throws ConfigError when the view does not lie in the picture
 */
export function applyView(pixels: Pixels, { box, size, window, flip, filter }: View): Pixels {
  const inside = (left: number, width: number, limit: number) =>
    left >= 0 && width >= 1 && left + width <= limit;
  const left = Math.max(0, window.left);
  const top = Math.max(0, window.top);
  const width = Math.min(window.left + window.width, size.width) - left;
  const height = Math.min(window.top + window.height, size.height) - top;
  if (
    !inside(box.left, box.width, pixels.width) ||
    !inside(box.top, box.height, pixels.height) ||
    width < 1 ||
    height < 1
  ) {
    throw new ConfigError(
      `The view (part ${JSON.stringify(box)}, window ${JSON.stringify(window)} of ${size.width} x ${size.height}) does not lie in a picture of ${pixels.width} x ${pixels.height}.`,
      { box, window, size },
    );
  }
  let out = resample(pixels, { box, size, window: { left, top, width, height }, filter });
  if (width < window.width || height < window.height) {
    out = padded(out, left - window.left, top - window.top, window.width, window.height);
  }
  return flip ? flipHorizontal(out) : out;
}

/**
 * By how much a picture may be reduced while it is decoded: 1, 2, 4 or 8, leaving at least twice
 * the pixels that the view needs, so that the final filter still decides how it looks.
 */
export function reductionFor({ box, size }: View): number {
  const spare = Math.min(box.width / size.width, box.height / size.height);
  return [8, 4, 2].find((factor) => spare >= 2 * factor) ?? 1;
}

/** The view of a picture that was reduced from `full` to `reduced` while it was decoded. */
export function viewOfReduced(
  view: View,
  full: { readonly width: number; readonly height: number },
  reduced: { readonly width: number; readonly height: number },
): View {
  const scaled = (start: number, length: number, from: number, to: number) => {
    const a = Math.min(to - 1, Math.round((start * to) / from));
    return [a, Math.max(1, Math.min(to, Math.round(((start + length) * to) / from)) - a)] as const;
  };
  const [left, width] = scaled(view.box.left, view.box.width, full.width, reduced.width);
  const [top, height] = scaled(view.box.top, view.box.height, full.height, reduced.height);
  return { ...view, box: { left, top, width, height } };
}
