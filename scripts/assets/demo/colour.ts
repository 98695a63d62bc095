/** Colours of scenes. They are drawn without knowing the class, so that they tell nothing of it. */
import type { Dice } from './dice.js';

/** Hue in degrees, saturation and lightness from 0 to 1. */
export interface Colour {
  readonly h: number;
  readonly s: number;
  readonly l: number;
}

/** The colours of one thing. */
export interface Palette {
  readonly main: Colour;
  readonly second: Colour;
  readonly accent: Colour;
  readonly dark: Colour;
  readonly light: Colour;
}

/** Red, green and blue from 0 to 255 (the CSS definition of hsl). */
export function rgb({ h, s, l }: Colour): readonly [number, number, number] {
  const channel = (n: number) => {
    const k = (n + h / 30) % 12;
    return Math.round(255 * (l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** As SVG writes it. */
export function css(colour: Colour): string {
  return `#${rgb(colour)
    .map((c) => c.toString(16).padStart(2, '0'))
    .join('')}`;
}

/** Lighter (positive) or darker (negative) by so much lightness. */
export function shade(colour: Colour, by: number): Colour {
  return { ...colour, l: Math.min(0.97, Math.max(0.03, colour.l + by)) };
}

function distance(a: Colour, b: Colour): number {
  const [x, y] = [rgb(a), rgb(b)];
  return Math.hypot(...x.map((v, i) => v - y[i]!));
}

/**
 * A colour near a given hue; the world is full of dull ones, so saturation leans to the low end.
 * @param turn place on the hue circle from 0 to 1
 */
export function colourAt(dice: Dice, turn: number): Colour {
  return {
    h: (360 * turn + 360) % 360,
    s: dice.range('saturation', 0, 0.97) ** 1.7,
    l: dice.range('lightness', 0.22, 0.8),
  };
}

/**
 * Colours of a thing that is to be seen before a backdrop.
 * @param turn place of the main colour on the hue circle
 * @param backdrop what the main colour must differ from
 */
export function paletteAt(dice: Dice, turn: number, backdrop: Colour): Palette {
  let main = colourAt(dice.at('main'), turn);
  for (let i = 0; distance(main, backdrop) < 110 && i < 20; i++) {
    main = colourAt(dice.at('main').at(i), turn);
  }
  const second = colourAt(dice.at('second'), dice.range('second', 0, 1));
  const tone = { h: dice.range('tone', 0, 360), s: dice.range('tint', 0, 0.35) };
  return {
    main,
    second: distance(second, main) < 80 ? shade(main, main.l > 0.5 ? -0.3 : 0.3) : second,
    accent: colourAt(dice.at('accent'), dice.range('accent', 0, 1)),
    dark: { ...tone, l: dice.range('dark', 0.06, 0.24) },
    light: { ...tone, l: dice.range('light', 0.72, 0.95) },
  };
}
