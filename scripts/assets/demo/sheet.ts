/** The SVG of one picture while it is being drawn: bodies, and the definitions that they refer to. */
import { type Colour, css } from './colour.js';

/**
 * Pixels drawn beyond each border and cut off afterwards: a blur would draw darkness in from
 * where nothing is drawn.
 */
export const MARGIN = 20;

/** Two decimals are a hundredth of a pixel. */
export function n(x: number): string {
  return String(Math.round(x * 100) / 100);
}

/** Attributes as SVG writes them; numbers are rounded. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One element. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? n(value) : value}"`)
    .join('');
  return content ? `<${name}${written}>${content}</${name}>` : `<${name}${written}/>`;
}

/** A path. @param parts commands and numbers */
export function path(parts: readonly (string | number)[], attributes: Attributes): string {
  const d = parts.map((p) => (typeof p === 'number' ? n(p) : p)).join(' ');
  return element('path', { d, ...attributes });
}

/** A line with round ends. */
export function line(
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  stroke: string,
  width: number,
): string {
  return path(['M', x1, y1, 'L', x2, y2], {
    stroke,
    'stroke-width': width,
    'stroke-linecap': 'round',
    fill: 'none',
  });
}

/** A group. */
export function group(attributes: Attributes, ...content: readonly string[]): string {
  return element('g', attributes, content.join('') || ' ');
}

/** Gathers definitions under names of their own. */
export class Sheet {
  private readonly definitions: string[] = [];

  /** Adds a definition. @returns how to refer to it: `url(#...)` */
  define(name: string, attributes: Attributes, content: string): string {
    const id = `d${this.definitions.length}`;
    this.definitions.push(element(name, { id, ...attributes }, content));
    return `url(#${id})`;
  }

  /**
   * A linear gradient over the shape's box.
   * @param stops place from 0 to 1, colour, opacity
   * @param angle degrees; 0 runs to the right, 90 down
   */
  gradient(stops: readonly (readonly [number, Colour, number?])[], angle = 0): string {
    const turn = `rotate(${n(angle)} 0.5 0.5)`;
    return this.define('linearGradient', { gradientTransform: turn }, stopsOf(stops));
  }

  /** A gradient from the middle of the shape's box outwards. */
  radial(stops: readonly (readonly [number, Colour, number?])[]): string {
    return this.define('radialGradient', {}, stopsOf(stops));
  }

  /** A clip by shapes. */
  clip(...shapes: readonly string[]): string {
    return this.define('clipPath', {}, shapes.join(''));
  }

  /** The whole picture, so many pixels square, with {@link MARGIN} around it. */
  svg(size: number, ...content: readonly string[]): string {
    const side = size + 2 * MARGIN;
    const view = { width: side, height: side, viewBox: `${-MARGIN} ${-MARGIN} ${side} ${side}` };
    const defs = element('defs', {}, this.definitions.join('') || ' ');
    return element(
      'svg',
      { xmlns: 'http://www.w3.org/2000/svg', ...view },
      defs + content.join(''),
    );
  }
}

function stopsOf(stops: readonly (readonly [number, Colour, number?])[]): string {
  return stops
    .map(([offset, colour, opacity = 1]) =>
      element('stop', { offset, 'stop-color': css(colour), 'stop-opacity': opacity }),
    )
    .join('');
}
