/** Guitars: acoustic ones of many outlines, and solid ones with horns. */
import { css, shade } from '../colour.js';
import { element, group, line, path } from '../sheet.js';
import type { DrawnObject, Hand } from './object.js';

function acoustic({ dice, palette, sheet }: Hand): string {
  const lower = dice.range('lower', 19, 24);
  const upper = lower * dice.range('upper', 0.68, 0.86);
  const waist = Math.min(lower, upper) * dice.range('waist', 0.62, 0.88);
  const cut = dice.chance('cutaway', 0.3);
  const body = [
    ...['M', 0, 48, 'C', -lower * 1.35, 48, -lower * 1.2, 22, -waist, 14],
    ...['C', -waist, 8, -upper * 1.25, 2, -upper * 0.9, -6, 'Q', -upper * 0.6, -11, 0, -11],
    ...(cut
      ? ['L', 4, -11, 'C', 6, -2, 10, -3, upper, -9, 'C', upper * 1.2, 0, waist, 7, waist, 14]
      : ['Q', upper * 0.6, -11, upper * 0.9, -6, 'C', upper * 1.25, 2, waist, 8, waist, 14]),
    ...['C', lower * 1.2, 22, lower * 1.35, 48, 0, 48, 'Z'],
  ];
  const burst = sheet.radial([
    [0, shade(palette.main, 0.12)],
    [0.65, palette.main],
    [1, dice.chance('burst', 0.5) ? shade(palette.main, -0.3) : palette.main],
  ]);
  const hole = dice.range('hole', 6, 8);
  const y = 9;
  const guard = ['M', 5, y + 3, 'q', 12, 2, 8, 14, 'q', -8, 4, -9, -6, 'Z'];
  return [
    path(body, { fill: burst, stroke: css(palette.second), 'stroke-width': 2 }),
    dice.chance('guard', 0.5) ? path(guard, { fill: css(palette.accent) }) : '',
    element('circle', { cx: 0, cy: y, r: hole + 2, fill: css(palette.second) }),
    element('circle', { cx: 0, cy: y, r: hole, fill: css(palette.dark) }),
    element('rect', { x: -9, y: 31, width: 18, height: 3.5, rx: 1.5, fill: css(palette.dark) }),
  ].join('');
}

function solid({ dice, palette, sheet }: Hand): string {
  const horn = dice.range('horn', 8, 15);
  const other = dice.range('other horn', 3, 10);
  const body = [
    ...['M', 2, 47, 'C', -24, 50, -25, 28, -14, 17, 'C', -10, 11, -21, 4, -17, -horn],
    ...['C', -12, -horn + 1, -10, 1, -3.5, 0, 'L', 3.5, 0, 'C', 8, 2, 11, -other, 15, -other],
    ...['C', 19, 4, 10, 11, 14, 18, 'C', 25, 29, 22, 48, 2, 47, 'Z'],
  ];
  const fill = sheet.gradient(
    [
      [0, shade(palette.main, 0.08)],
      [1, shade(palette.main, -0.12)],
    ],
    dice.range('sheen', 0, 180),
  );
  const pickup = (y: number) =>
    element('rect', { x: -8, y, width: 16, height: 4.5, rx: 2, fill: css(palette.dark) });
  const plate = ['M', -12, 6, 'Q', 0, 12, 12, 5, 'L', 16, 26, 'Q', 6, 34, -4, 28, 'Z'];
  const knob = (cx: number, cy: number) =>
    element('circle', { cx, cy, r: 2.2, fill: css(shade(palette.light, -0.1)) });
  return [
    path(body, { fill, stroke: css(shade(palette.main, -0.2)), 'stroke-width': 1 }),
    dice.chance('plate', 0.6) ? path(plate, { fill: css(palette.second) }) : '',
    pickup(9),
    pickup(20),
    element('rect', { x: -9, y: 31, width: 18, height: 4, fill: css(palette.light) }),
    knob(11, 34),
    knob(14, 27),
  ].join('');
}

/** A guitar, neck upwards. */
export const guitar: DrawnObject = {
  turn: 180,
  draw(hand) {
    const { dice, palette } = hand;
    const top = -dice.range('neck', 36, 48);
    const width = dice.range('neck width', 2.6, 3.8);
    const wood = shade(palette.dark, dice.range('neck wood', 0, 0.2));
    const frets = Array.from({ length: 9 }, (_, i) => {
      const y = top + (top * -1 + 2) * (1 - 0.86 ** (i + 1)) * 1.1;
      return line([-width, y], [width, y], css(shade(palette.light, -0.2)), 0.7);
    });
    const head = [
      'M',
      -width,
      top,
      'l',
      -2,
      -4,
      'l',
      1,
      -10,
      'h',
      width * 2 + 2,
      'l',
      1,
      10,
      'l',
      -2,
      4,
      'Z',
    ];
    const pegs = [-4, -8, -12].flatMap((dy) =>
      [-1, 1].map((side) =>
        element('circle', {
          cx: side * (width + 3.5),
          cy: top + dy,
          r: 1.5,
          fill: css(palette.light),
        }),
      ),
    );
    const strings = [-2, -1, 0, 1, 2].map((i) =>
      line([i * width * 0.36, top], [i * 1.5, 32], css(shade(palette.light, -0.05)), 0.45),
    );
    return group(
      {},
      dice.chance('acoustic', 0.65) ? acoustic(hand) : solid(hand),
      path(['M', -width, top, 'L', width, top, 'L', width + 0.8, 2, 'L', -width - 0.8, 2, 'Z'], {
        fill: css(wood),
      }),
      ...frets,
      ...pegs,
      path(head, { fill: css(dice.chance('head', 0.5) ? wood : palette.main) }),
      ...strings,
    );
  },
};
