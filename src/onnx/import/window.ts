/** Attributes of windows that slide over spatial axes, with automatic padding written out. */
import type { OnnxNode } from './rule.js';

/** How a window moves, with one entry an axis; `pads` has all befores, then all afters. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** Larger windows are nonsense, and products of them would overflow. */
const MAX_EXTENT = 2 ** 31;

function list(node: OnnxNode, name: string, fallback: readonly number[], low: number) {
  const values = node.ints(name, fallback);
  if (values.length !== fallback.length || values.some((v) => v < low || v > MAX_EXTENT)) {
    node.fail(
      `${name} is [${values.join(',')}]; expected ${fallback.length} integers of at least ${low}.`,
    );
  }
  return values;
}

/** Length of a dilated kernel. */
export function span(window: Window, axis: number): number {
  return (window.kernel[axis]! - 1) * window.dilations[axis]! + 1;
}

/** The window of a node over `size`, which holds the spatial axes only. */
export function windowOf(
  node: OnnxNode,
  size: readonly number[],
  kernel: readonly number[],
): Window {
  const n = size.length;
  if (kernel.length !== n || kernel.some((k) => !(k >= 1))) {
    node.fail(`has a kernel [${kernel.join(',')}] over ${n} spatial axes.`);
  }
  const strides = list(node, 'strides', new Array<number>(n).fill(1), 1);
  const dilations = list(node, 'dilations', new Array<number>(n).fill(1), 1);
  const auto = node.string('auto_pad', 'NOTSET');
  const base = { kernel, strides, dilations, pads: new Array<number>(2 * n).fill(0) };
  if (auto === 'NOTSET' || auto === '') {
    return { ...base, pads: list(node, 'pads', base.pads, 0) };
  }
  if (auto === 'VALID') return base;
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') node.fail(`auto_pad is '${auto}'.`);
  const total = size.map((d, i) =>
    Math.max(0, (Math.ceil(d / strides[i]!) - 1) * strides[i]! + span(base, i) - d),
  );
  const small = total.map((t) => Math.floor(t / 2));
  const large = total.map((t) => Math.ceil(t / 2));
  return { ...base, pads: auto === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small] };
}

/** Positions that a window takes along each axis. */
export function positions(
  node: OnnxNode,
  window: Window,
  size: readonly number[],
  ceil = false,
): number[] {
  const n = size.length;
  return size.map((d, i) => {
    const free = d + window.pads[i]! + window.pads[n + i]! - span(window, i);
    if (free < 0)
      node.fail(`the window spans ${span(window, i)} elements of an axis that has fewer.`);
    const stride = window.strides[i]!;
    const count = (ceil ? Math.ceil : Math.floor)(free / stride) + 1;
    // A window that would start in the padding after the end does not count.
    return ceil && (count - 1) * stride >= d + window.pads[i]! ? count - 1 : count;
  });
}

/** The window as attributes of a native node. */
export function windowAttrs(window: Window) {
  return {
    kernel_shape: { ints: window.kernel },
    strides: { ints: window.strides },
    dilations: { ints: window.dilations },
    pads: { ints: window.pads },
  };
}
