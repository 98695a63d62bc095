/** Fish from the side: slim or deep, with many tails, fins and markings. */
import { css, shade } from '../colour.js';
import { element, group, path } from '../sheet.js';
import type { DrawnObject, Hand } from './object.js';

function tail({ dice }: Hand, x: number, height: number, style: object): string {
  const h = height * dice.range('tail', 0.75, 1.25);
  const out = x + dice.range('tail length', 16, 25);
  const kinds = {
    forked: [
      ...['M', x, -3, 'Q', x + 8, -h * 0.5, out, -h, 'Q', x + 13, 0, out, h],
      ...['Q', x + 8, h * 0.5, x, 3, 'Z'],
    ],
    fan: ['M', x, -3, 'L', out, -h * 0.8, 'Q', out + 7, 0, out, h * 0.8, 'L', x, 3, 'Z'],
    round: [
      ...['M', x, -3, 'C', x + 6, -h * 1.1, out + 9, -h * 0.7, out, 0],
      ...['C', out + 9, h * 0.7, x + 6, h * 1.1, x, 3, 'Z'],
    ],
  };
  return path(kinds[dice.pick('tail kind', ['forked', 'forked', 'fan', 'round'] as const)], {
    ...style,
  });
}

function fins({ dice }: Hand, h: number, style: object): string {
  const rise = dice.range('fin', 7, 17);
  const spiky = dice.chance('spiky', 0.4);
  const [from, to] = [dice.range('fin from', -22, -8), dice.range('fin to', 8, 24)];
  const top = (x: number) => -h * (1 - ((x + 4) / 42) ** 2) + 2;
  const upper: (string | number)[] = ['M', from, top(from)];
  if (spiky) {
    for (let i = 1; i <= 5; i++) {
      const x = from + ((to - from) * i) / 5;
      upper.push('L', x - 2, top(x) - rise * (1.1 - i / 6), 'L', x, top(x));
    }
  } else {
    upper.push('C', from + 4, top(from) - rise * 1.4, to - 4, top(to) - rise, to + 3, top(to) - 2);
  }
  const y = h * 0.75;
  const lower = ['M', 4, y, 'Q', 10, y + rise, 20, y + rise * 0.5, 'L', 20, h * 0.45, 'Z'];
  const belly = ['M', -14, h * 0.8, 'Q', -10, h + rise * 0.7, -2, h + rise * 0.5, 'L', -4, y, 'Z'];
  return (
    path([...upper, 'Z'], { ...style }) + path(lower, { ...style }) + path(belly, { ...style })
  );
}

function markings({ dice, palette }: Hand, h: number): string {
  const colour = css(palette.second);
  const many = (count: number, draw: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => draw(i)).join('');
  const kinds = {
    plain: () => '',
    bars: () => {
      const count = dice.whole('bars', 2, 6);
      return many(count, (i) => {
        const x = -20 + (i * 52) / count;
        const width = dice.range('bar', 3, 8);
        return path(['M', x, -50, 'q', 6, 50, 0, 100], {
          fill: 'none',
          stroke: colour,
          'stroke-width': width,
        });
      });
    },
    line: () =>
      element('rect', {
        x: -40,
        y: -h * 0.2,
        width: 90,
        height: h * dice.range('line', 0.2, 0.5),
        fill: colour,
      }),
    spots: () =>
      many(26, (i) =>
        element('circle', {
          cx: dice.range(`x${i}`, -22, 38),
          cy: dice.range(`y${i}`, -h, h),
          r: dice.range(`r${i}`, 1, 3.6),
          fill: colour,
        }),
      ),
    back: () =>
      path(['M', -50, -h * 0.1, 'Q', 0, -h * 0.5, 50, -h * 0.1, 'V', -60, 'H', -50, 'Z'], {
        fill: colour,
      }),
  };
  const kind = dice.pick('markings', ['plain', 'bars', 'line', 'spots', 'back'] as const);
  const scales = dice.chance('scales', 0.6)
    ? many(70, (i) => {
        const [row, column] = [Math.floor(i / 10), i % 10];
        const x = -16 + column * 6 + (row % 2) * 3;
        return path(['M', x, -h + row * (h / 3.2), 'q', 4, h / 6, 0, h / 3.2], {
          fill: 'none',
          stroke: css(shade(palette.main, -0.22)),
          'stroke-width': 0.6,
        });
      })
    : '';
  return kinds[kind]() + scales;
}

/** A fish, head to the left. */
export const fish: DrawnObject = {
  turn: 28,
  draw(hand) {
    const { dice, palette, sheet } = hand;
    const h = dice.range('depth', 13, 27);
    const nose = dice.range('nose', -44, -38);
    const hump = dice.range('hump', -0.25, 0.25);
    const body = [
      ...['M', nose, dice.range('mouth high', -2, 4)],
      ...['C', -34, -h * (0.9 + hump), -8, -h * 1.25, 14, -h * 0.7, 'Q', 28, -h * 0.3, 37, -3.5],
      ...['L', 37, 3.5, 'Q', 28, h * 0.3, 14, h * 0.7],
      ...['C', -8, h * 1.25, -34, h * (0.9 - hump), nose, dice.range('mouth low', 4, 6), 'Z'],
    ];
    const finned = dice.chance('plain fins', 0.5) ? shade(palette.main, -0.1) : palette.second;
    const style = { fill: css(finned), stroke: css(shade(finned, -0.15)), 'stroke-width': 0.8 };
    const depth = sheet.gradient(
      [
        [0, shade(palette.main, -0.5), 0.5],
        [0.45, palette.main, 0],
        [1, palette.light, 0.75],
      ],
      90,
    );
    const [ex, ey] = [nose + 12, -h * 0.22];
    const eye = dice.range('eye', 3, 4.8);
    const gill = css(shade(palette.main, -0.28));
    return group(
      {},
      tail(hand, 34, h, style),
      fins(hand, h, style),
      path(body, { fill: css(palette.main) }),
      group({ 'clip-path': sheet.clip(path(body, {})) }, markings(hand, h)),
      path(body, { fill: depth }),
      path(['M', nose + 21, -h * 0.6, 'q', 6, h * 0.6, -1, h * 1.15], {
        fill: 'none',
        stroke: gill,
        'stroke-width': 1.4,
      }),
      path(['M', nose + 24, h * 0.15, 'q', 14, -4, 17, 5, 'q', -10, 5, -17, -1, 'Z'], { ...style }),
      path(['M', nose, 4, 'q', 5, 1.5, 8, 0], { fill: 'none', stroke: gill, 'stroke-width': 1.4 }),
      element('circle', { cx: ex, cy: ey, r: eye, fill: css(palette.light) }),
      element('circle', { cx: ex - 0.6, cy: ey, r: eye * 0.58, fill: css(palette.dark) }),
      element('circle', { cx: ex - 1.6, cy: ey - 1.2, r: eye * 0.2, fill: '#ffffff' }),
    );
  },
};
