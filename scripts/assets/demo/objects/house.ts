/** Houses from a corner: front with gable, side wall, roof, windows, door, chimney. */
import { type Colour, css, shade } from '../colour.js';
import { element, group, path } from '../sheet.js';
import type { DrawnObject, Hand } from './object.js';

interface Walls {
  /** Left, middle and right edges. */
  readonly x: readonly [number, number, number];
  readonly ground: number;
  readonly eaves: number;
  readonly ridge: number;
  /** How far the side wall's far end rises, as seen in perspective. */
  readonly slant: number;
}

function windowAt(
  { dice, palette }: Hand,
  x: number,
  y: number,
  w: number,
  h: number,
  skew: number,
) {
  const glass = dice.chance('lit', 0.3) ? shade(palette.light, 0) : shade(palette.dark, 0.15);
  const bars = css(palette.light);
  return group(
    { transform: `translate(${x} ${y}) skewY(${skew})` },
    element('rect', { x: -1.2, y: -1.2, width: w + 2.4, height: h + 2.4, fill: bars }),
    element('rect', { x: 0, y: 0, width: w, height: h, fill: css(glass) }),
    element('rect', { x: w / 2 - 0.5, y: 0, width: 1, height: h, fill: bars }),
    element('rect', { x: 0, y: h / 2 - 0.5, width: w, height: 1, fill: bars }),
  );
}

function front(hand: Hand, { x, ground, eaves, ridge }: Walls, colour: Colour): string {
  const { dice, palette } = hand;
  const [left, right] = [x[0], x[1]];
  const middle = (left + right) / 2;
  const wide = right - left;
  const wall = [
    'M',
    left,
    ground,
    'V',
    eaves,
    'L',
    middle,
    ridge,
    'L',
    right,
    eaves,
    'V',
    ground,
    'Z',
  ];
  const [w, h] = [wide * 0.22, dice.range('door', 16, 21)];
  const doorX = dice.pick('door at', [middle - w / 2, left + wide * 0.12, right - wide * 0.34]);
  const free = doorX < middle - w ? right - wide * 0.36 : left + wide * 0.12;
  const attic = dice.chance('attic', 0.6);
  return [
    path(wall, { fill: css(colour) }),
    boards(hand, wall, colour),
    element('rect', { x: doorX, y: ground - h, width: w, height: h, fill: css(palette.second) }),
    element('circle', {
      cx: doorX + w * 0.8,
      cy: ground - h / 2,
      r: 0.9,
      fill: css(palette.light),
    }),
    windowAt(hand, free, ground - h + 1, wide * 0.22, 10, 0),
    attic ? windowAt(hand, middle - 4, eaves - 3, 8, 8, 0) : '',
  ].join('');
}

/** Lines on a wall: boards or courses of stone. */
function boards({ dice, sheet }: Hand, wall: readonly (string | number)[], colour: Colour): string {
  const kind = dice.pick('wall', ['plain', 'boards', 'planks']);
  if (kind === 'plain') return '';
  const style = { stroke: css(shade(colour, -0.14)), 'stroke-width': 0.7, fill: 'none' };
  const lines = Array.from({ length: 32 }, (_, i) =>
    kind === 'boards'
      ? path(['M', -60, -50 + i * 3.4, 'H', 60], style)
      : path(['M', -54 + i * 3.4, -60, 'V', 60], style),
  );
  return group({ 'clip-path': sheet.clip(path(wall, {})) }, ...lines);
}

function side(hand: Hand, { x, ground, eaves, slant }: Walls, colour: Colour): string {
  const { dice } = hand;
  const [from, to] = [x[1], x[2]];
  const wall = ['M', from, ground, 'V', eaves, 'L', to, eaves, 'L', to, ground - slant, 'Z'];
  const count = dice.whole('side windows', 1, 3);
  const step = (to - from) / count;
  const skew = (Math.atan2(-slant / 2, to - from) * 180) / Math.PI;
  const windows = Array.from({ length: count }, (_, i) =>
    windowAt(hand, from + step * (i + 0.28), eaves + (ground - eaves) * 0.3, step * 0.42, 10, skew),
  );
  return path(wall, { fill: css(shade(colour, -0.1)) }) + windows.join('');
}

function roof({ dice, palette, sheet }: Hand, { x, eaves, ridge }: Walls): string {
  const middle = (x[0] + x[1]) / 2;
  const over = dice.range('overhang', 2.5, 5);
  const colour = dice.chance('second roof', 0.6) ? palette.accent : shade(palette.main, -0.28);
  const slope = [
    ...['M', middle - 0.5, ridge - 1.5, 'L', x[2] - (x[1] - middle) * 0.55, ridge - 1.5],
    ...['L', x[2] + over, eaves + 1.5, 'L', x[1] + over, eaves + 2.5, 'Z'],
  ];
  const style = { stroke: css(shade(colour, -0.14)), 'stroke-width': 0.9, fill: 'none' };
  const tiles = Array.from({ length: 14 }, (_, i) =>
    path(['M', -60, ridge + i * dice.range('tile', 2.6, 4), 'H', 70], style),
  );
  const edge = {
    fill: 'none',
    stroke: css(shade(colour, -0.08)),
    'stroke-width': dice.range('verge', 2.4, 4),
    'stroke-linejoin': 'miter',
  };
  return [
    path(slope, { fill: css(colour) }),
    group({ 'clip-path': sheet.clip(path(slope, {})) }, ...tiles),
    path(['M', x[0] - over, eaves + 3, 'L', middle, ridge - 1, 'L', x[1] + over, eaves + 3], edge),
  ].join('');
}

/** A house with a gable, its side wall to the right. */
export const house: DrawnObject = {
  turn: 5,
  draw(hand) {
    const { dice, palette } = hand;
    const left = dice.range('left', -46, -38);
    const middle = left + dice.range('front', 32, 46);
    const eaves = -dice.range('eaves', 2, 14);
    const walls: Walls = {
      x: [left, middle, dice.range('right', 36, 48)],
      ground: dice.range('ground', 28, 36),
      eaves,
      ridge: eaves - dice.range('pitch', 16, 30),
      slant: dice.range('slant', 1, 6),
    };
    const chimney = dice.chance('chimney', 0.65)
      ? element('rect', {
          x: dice.range('chimney at', middle - 6, 26),
          y: walls.ridge - dice.range('chimney high', 6, 11),
          width: 7,
          height: 20,
          fill: css(palette.second),
        })
      : '';
    return group(
      {},
      chimney,
      side(hand, walls, palette.main),
      front(hand, walls, palette.main),
      roof(hand, walls),
    );
  },
};
