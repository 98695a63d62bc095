/** Things that are of no class: they stand around, and sometimes in the way. */
import { css, type Palette, shade } from './colour.js';
import type { Dice } from './dice.js';
import { element, group, path, type Sheet } from './sheet.js';

type Draw = (dice: Dice, palette: Palette, sheet: Sheet) => string;

const ball: Draw = (dice, { main, second }, sheet) => {
  const circle = element('circle', { cx: 0, cy: 0, r: 24, fill: css(main) });
  const band = element('rect', { x: -30, y: -6, width: 60, height: 12, fill: css(second) });
  return (
    circle + (dice.chance('band', 0.4) ? group({ 'clip-path': sheet.clip(circle) }, band) : '')
  );
};

const box: Draw = (dice, { main }) => {
  const d = dice.range('depth', 8, 22);
  return [
    path(['M', -26, -14, 'h', 40, 'v', 36, 'h', -40, 'Z'], { fill: css(main) }),
    path(['M', -26, -14, 'l', d, -d * 0.6, 'h', 40, 'l', -d, d * 0.6, 'Z'], {
      fill: css(shade(main, 0.13)),
    }),
    path(['M', 14, -14, 'l', d, -d * 0.6, 'v', 36, 'l', -d, d * 0.6, 'Z'], {
      fill: css(shade(main, -0.16)),
    }),
  ].join('');
};

const rods: Draw = (dice, { main, second }) =>
  Array.from({ length: dice.whole('rods', 1, 4) }, (_, i) =>
    path(['M', -40 + i * 6, dice.range(`a${i}`, -30, 30), 'L', 40, dice.range(`b${i}`, -30, 30)], {
      stroke: css(i % 2 ? second : main),
      'stroke-width': dice.range('rod', 2, 6),
      'stroke-linecap': 'round',
    }),
  ).join('');

const ring: Draw = (dice, { main }) =>
  element('ellipse', {
    cx: 0,
    cy: 0,
    rx: 26,
    ry: 26 * dice.range('tilt', 0.4, 1),
    fill: 'none',
    stroke: css(main),
    'stroke-width': dice.range('thick', 3, 10),
  });

const stone: Draw = (dice, { main }) => {
  const corners = Array.from({ length: 8 }, (_, i) => {
    const r = dice.range(`r${i}`, 16, 30);
    return [r * Math.cos((i * Math.PI) / 4), r * Math.sin((i * Math.PI) / 4)] as const;
  });
  const parts: (string | number)[] = [];
  for (let i = 0; i < 8; i++) {
    const [a, b] = [corners[i]!, corners[(i + 1) % 8]!];
    const middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    parts.push(...(i === 0 ? ['M', ...middle] : ['Q', ...a, ...middle]));
  }
  const [first, second] = [corners[0]!, corners[1]!];
  parts.push('Q', ...first, (first[0] + second[0]) / 2, (first[1] + second[1]) / 2, 'Z');
  return path(parts, { fill: css(main) });
};

const cone: Draw = (dice, { main, second }) => {
  const w = dice.range('width', 16, 28);
  const tip = ['M', 0, -32, 'L', w, 22, 'A', w, w * 0.3, 0, 0, 1, -w, 22, 'Z'];
  const stripe = [
    'M',
    -w * 0.55,
    0,
    'Q',
    0,
    6,
    w * 0.55,
    0,
    'l',
    4,
    8,
    'Q',
    0,
    15,
    -w * 0.55 - 4,
    8,
    'Z',
  ];
  return path(tip, { fill: css(main) }) + path(stripe, { fill: css(second) });
};

const jar: Draw = (dice, { main, second, light }, sheet) => {
  const w = dice.range('width', 12, 24);
  const h = dice.range('height', 24, 34);
  const fill = sheet.gradient([
    [0, shade(main, -0.2)],
    [0.35, shade(main, 0.18)],
    [1, shade(main, -0.22)],
  ]);
  return [
    element('rect', { x: -w, y: -h, width: 2 * w, height: 2 * h, rx: w * 0.35, fill }),
    element('rect', { x: -w, y: -h * 0.3, width: 2 * w, height: h * 0.8, fill: css(light) }),
    element('rect', {
      x: -w * 0.7,
      y: -h - 7,
      width: w * 1.4,
      height: 8,
      rx: 2,
      fill: css(second),
    }),
  ].join('');
};

const leaves: Draw = (dice, { main }) =>
  Array.from({ length: dice.whole('leaves', 3, 7) }, (_, i) => {
    const turn = dice.range(`turn ${i}`, 0, 360);
    const long = dice.range(`long ${i}`, 22, 42);
    return path(['M', 0, 0, 'Q', long * 0.5, -9, long, 0, 'Q', long * 0.5, 9, 0, 0, 'Z'], {
      fill: css(shade(main, dice.range(`shade ${i}`, -0.12, 0.12))),
      transform: `rotate(${turn})`,
    });
  }).join('');

const KINDS: readonly Draw[] = [ball, box, rods, ring, stone, cone, jar, leaves];

/** One thing of no class, about 60 wide around (0, 0). */
export function clutter(dice: Dice, palette: Palette, sheet: Sheet): string {
  return dice.pick('kind', KINDS)(dice, palette, sheet);
}
