/** Bicycles from the side: frame, handlebar, wheels, mudguards, basket. */
import { css, shade } from '../colour.js';
import { element, group, line, path } from '../sheet.js';
import type { DrawnObject, Hand } from './object.js';

type Point = readonly [number, number];

function wheel({ dice, palette }: Hand, [cx, cy]: Point, r: number, phase: number): string {
  const tyre = dice.chance('dark tyre', 0.75) ? palette.dark : shade(palette.accent, -0.1);
  const circle = (radius: number, stroke: string, width: number) =>
    element('circle', { cx, cy, r: radius, fill: 'none', stroke, 'stroke-width': width });
  const spokes = dice.whole('spokes', 8, 16);
  const lines = Array.from({ length: spokes }, (_, i) => {
    const a = phase + (2 * Math.PI * i) / spokes;
    const end: Point = [cx + r * Math.cos(a), cy + r * Math.sin(a)];
    return line([cx, cy], end, css(shade(palette.light, -0.12)), 0.7);
  });
  return [
    ...lines,
    circle(r - dice.range('rim', 2, 3.2), css(shade(palette.light, -0.15)), 1.6),
    circle(r, css(tyre), dice.range('tyre', 2.6, 5)),
    element('circle', { cx, cy, r: 2.6, fill: css(palette.dark) }),
  ].join('');
}

function handlebar({ dice, palette }: Hand, [x, y]: Point): string {
  const colour = css(palette.dark);
  const curves = {
    drop: ['M', x, y, 'L', x + 9, y, 'C', x + 16, y, x + 16, y + 12, x + 5, y + 11],
    flat: ['M', x - 5, y - 1, 'L', x + 7, y + 1],
    city: ['M', x + 6, y + 1, 'C', x + 9, y - 6, x, y - 8, x - 10, y - 4],
    high: ['M', x, y, 'L', x + 1, y - 9, 'L', x - 8, y - 11],
  };
  return path(curves[dice.pick('bar', ['drop', 'flat', 'city', 'high'] as const)], {
    fill: 'none',
    stroke: colour,
    'stroke-width': 3,
    'stroke-linecap': 'round',
    'stroke-linejoin': 'round',
  });
}

function extras({ dice, palette }: Hand, rear: Point, front: Point, r: number): string {
  const parts: string[] = [];
  const guard = ([x, y]: Point, from: number, to: number) => {
    const at = (deg: number): Point => {
      const a = (deg * Math.PI) / 180;
      return [x + (r + 3.5) * Math.cos(a), y + (r + 3.5) * Math.sin(a)];
    };
    const stroke = css(dice.chance('guard', 0.5) ? palette.main : palette.second);
    const style = { fill: 'none', stroke, 'stroke-width': 2.2 };
    return path(['M', ...at(from), 'A', r + 3.5, r + 3.5, 0, 0, 1, ...at(to)], style);
  };
  if (dice.chance('mudguards', 0.4)) parts.push(guard(rear, 170, 310), guard(front, 215, 330));
  if (dice.chance('basket', 0.25)) {
    const [x, y] = [front[0] - 2, front[1] - r - 20];
    const fill = css(palette.accent);
    parts.push(path(['M', x, y, 'h', 17, 'l', -2.5, 13, 'h', -12, 'Z'], { fill }));
  }
  if (dice.chance('rack', 0.3)) {
    const y = rear[1] - r - 5;
    parts.push(line([rear[0] - 8, y], [rear[0] + 14, y], css(palette.dark), 2));
    parts.push(line([rear[0] - 6, y], rear, css(palette.dark), 1.2));
  }
  return parts.join('');
}

/** A bicycle, handlebar to the right. */
export const bicycle: DrawnObject = {
  turn: 14,
  draw(hand) {
    const { dice, palette } = hand;
    const base = dice.range('base', 27, 31);
    const r = dice.range('wheel', 17.5, 22);
    const rear: Point = [-base, 16];
    const front: Point = [base, 16];
    const crank: Point = [-dice.range('crank', 2, 6), 17];
    const seat: Point = [-dice.range('seat', 9, 13), -dice.range('seat high', 10, 17)];
    const head: Point = [base - dice.range('rake', 9, 13), -dice.range('head', 11, 18)];
    const low = dice.chance('step through', 0.3);
    const tube = dice.range('tube', 2.6, 4.4);
    const frame = css(palette.main);
    const joint: Point = low ? [(seat[0] + crank[0]) / 2, (seat[1] + crank[1]) / 2 - 3] : seat;
    const saddle: Point = [seat[0] - 2, seat[1] - dice.range('post', 5, 10)];
    const bar: Point = [head[0] - 2, head[1] - dice.range('stem', 4, 9)];
    const width = dice.range('yaw', 0.72, 1.05);
    return group(
      { transform: `scale(${width} 1)` },
      wheel(hand, rear, r, dice.range('phase', 0, 1)),
      wheel(hand, front, r, dice.range('phase 2', 0, 1)),
      extras(hand, rear, front, r),
      line(seat, rear, frame, tube * 0.7),
      line(crank, rear, frame, tube * 0.7),
      line(seat, crank, frame, tube),
      line(crank, [head[0] + 0.6, head[1] + 3], frame, tube),
      line(joint, [head[0], head[1] + 1], frame, tube),
      line(head, front, frame, tube * 0.85),
      line(head, bar, css(palette.dark), tube * 0.8),
      line(seat, saddle, css(palette.dark), tube * 0.7),
      path(
        [
          ...['M', saddle[0] - 8, saddle[1] - 2.5, 'Q', saddle[0] - 2, saddle[1] - 4],
          ...[saddle[0] + 8, saddle[1] - 1, 'Q', saddle[0] - 2, saddle[1] + 3],
          ...[saddle[0] - 8, saddle[1] - 2.5, 'Z'],
        ],
        { fill: css(palette.dark), stroke: css(palette.dark), 'stroke-width': 2 },
      ),
      handlebar(hand, bar),
      element('circle', {
        cx: crank[0],
        cy: crank[1],
        r: 4.6,
        fill: 'none',
        stroke: css(palette.dark),
        'stroke-width': 2,
      }),
      line(crank, [crank[0] + 6, crank[1] + 6], css(palette.dark), 2),
      line([crank[0] + 3, crank[1] + 7], [crank[0] + 9, crank[1] + 7], css(palette.dark), 2.2),
    );
  },
};
