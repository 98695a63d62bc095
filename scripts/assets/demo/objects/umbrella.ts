/** Open umbrellas: dome, scalloped edge, ribs, shaft and hooked or straight handle. */
import { css, shade } from '../colour.js';
import { element, group, line, path } from '../sheet.js';
import type { DrawnObject, Hand } from './object.js';

function canopy({ dice, palette }: Hand, half: number, rise: number, y: number): string {
  const count = dice.whole('panels', 4, 7);
  const bow = dice.range('bow', 3, 8);
  const two = dice.chance('two colours', 0.5);
  const edge = (i: number) => -half * Math.cos((Math.PI * i) / count);
  const drop = (x: number) => y + 4 * Math.sqrt(Math.max(0, 1 - (x / half) ** 2));
  // A rib is an arc of an ellipse through the tip and a point of the edge.
  const control = (x: number): [number, number] => [x * 0.92, y - rise * 0.98];
  const panels = Array.from({ length: count }, (_, i) => {
    const [a, b] = [edge(i), edge(i + 1)];
    const middle = (a + b) / 2;
    const turn = (i + 0.5) / count - 0.5;
    const base = two && i % 2 ? palette.second : palette.main;
    return path(
      [
        ...['M', 0, y - rise, 'Q', ...control(a), a, drop(a)],
        ...['Q', middle, drop(middle) - bow, b, drop(b), 'Q', ...control(b), 0, y - rise, 'Z'],
      ],
      {
        fill: css(shade(base, -0.22 * turn - 0.05 * (i % 2))),
        stroke: css(shade(base, -0.16)),
        'stroke-width': 0.8,
      },
    );
  });
  return panels.join('');
}

/** The dark inside under the far edge. */
function lining({ palette }: Hand, half: number, y: number): string {
  const d = ['M', -half, y, 'Q', 0, y + 15, half, y, 'Q', 0, y - 10, -half, y, 'Z'];
  return path(d, { fill: css(shade(palette.main, -0.3)) });
}

function trim({ dice, palette }: Hand, half: number, rise: number, y: number): string {
  if (!dice.chance('ring', 0.35)) return '';
  const k = dice.range('ring at', 0.45, 0.8);
  const w = half * Math.sqrt(1 - (1 - k) ** 2) * 0.9;
  const at = y - rise * (1 - k) * 0.9;
  return path(['M', -w, at, 'Q', 0, at + 8, w, at], {
    fill: 'none',
    stroke: css(palette.accent),
    'stroke-width': dice.range('ring width', 2, 5),
  });
}

/** An umbrella, tip upwards. */
export const umbrella: DrawnObject = {
  turn: 40,
  draw(hand) {
    const { dice, palette } = hand;
    const half = dice.range('half', 38, 48);
    const rise = dice.range('rise', 26, 42);
    const y = dice.range('edge', -6, 2);
    const end = dice.range('end', 36, 46);
    const rod = css(dice.chance('dark rod', 0.6) ? palette.dark : shade(palette.light, -0.15));
    const grip = css(dice.chance('grip', 0.5) ? palette.accent : palette.dark);
    const hook = dice.chance('hook', 0.7);
    const r = dice.range('hook size', 4.5, 7.5);
    const handle = hook
      ? path(['M', 0, end - 10, 'V', end, 'A', r, r, 0, 0, 0, 2 * r, end, 'v', -3], {
          fill: 'none',
          stroke: grip,
          'stroke-width': 3.6,
          'stroke-linecap': 'round',
        })
      : element('rect', { x: -2.6, y: end - 12, width: 5.2, height: 15, rx: 2.4, fill: grip });
    return group(
      {},
      lining(hand, half, y),
      line([0, y - rise], [0, end], rod, dice.range('rod', 1.8, 2.8)),
      handle,
      canopy(hand, half, rise, y),
      trim(hand, half, rise, y),
      line([0, y - rise - dice.range('tip', 3, 7)], [0, y - rise], rod, 2.4),
    );
  },
};
