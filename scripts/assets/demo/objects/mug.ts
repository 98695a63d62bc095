/** Mugs and cups: taper, belly, handle, rim seen from more or less above, pattern. */
import { css, shade } from '../colour.js';
import { element, group, n, path } from '../sheet.js';
import type { DrawnObject, Hand } from './object.js';

interface Body {
  readonly top: number;
  readonly bottom: number;
  readonly height: number;
  readonly belly: number;
  readonly tilt: number;
}

function outline({ top, bottom, height, belly, tilt }: Body): (string | number)[] {
  const h = height / 2;
  const side = Math.max(top, bottom) + belly;
  return [
    ...['M', -top, -h, 'C', -side, -h * 0.2, -side, h * 0.4, -bottom, h],
    ...['A', bottom, bottom * tilt, 0, 0, 0, bottom, h],
    ...['C', side, h * 0.4, side, -h * 0.2, top, -h, 'Z'],
  ];
}

function handle({ dice, palette }: Hand, body: Body): string {
  const { height: h, top } = body;
  const reach = dice.range('reach', 16, 27);
  const [from, to] = [-h * dice.range('from', 0.22, 0.36), h * dice.range('to', 0.14, 0.34)];
  const x = top + body.belly * 0.5 - 3;
  const style = dice.pick('handle', ['round', 'square', 'ear'] as const);
  const curves = {
    round: ['M', x, from, 'C', x + reach * 1.3, from - 3, x + reach * 1.3, to + 4, x - 2, to],
    square: [
      ...['M', x, from, 'L', x + reach * 0.7, from, 'Q', x + reach, from, x + reach, from + 8],
      ...['L', x + reach, to - 8, 'Q', x + reach, to, x + reach * 0.7, to, 'L', x - 2, to],
    ],
    ear: ['M', x, from, 'C', x + reach * 1.2, from - 14, x + reach * 1.5, to - 12, x - 2, to],
  };
  const colour = dice.chance('plain handle', 0.7) ? palette.main : palette.second;
  return path(curves[style], {
    fill: 'none',
    stroke: css(shade(colour, -0.03)),
    'stroke-width': dice.range('thick', 5, 8.5),
    'stroke-linecap': 'round',
  });
}

function pattern({ dice, palette, sheet }: Hand, body: Body, clip: string): string {
  const { height: h, top } = body;
  const colour = css(palette.second);
  const bow = top * body.tilt;
  const band = (y: number, width: number) =>
    path(['M', -80, y, 'Q', 0, y + 2 * bow, 80, y], {
      fill: 'none',
      stroke: colour,
      'stroke-width': width,
    });
  const draw = {
    plain: () => '',
    bands: () =>
      Array.from({ length: dice.whole('bands', 1, 4) }, (_, i) =>
        band(-h * 0.22 + i * h * 0.2, dice.range('band', 2, 8)),
      ).join(''),
    dipped: () =>
      path(['M', -80, h * 0.12, 'Q', 0, h * 0.12 + 2 * bow, 80, h * 0.12, 'V', 90, 'H', -80, 'Z'], {
        fill: colour,
      }),
    dots: () =>
      Array.from({ length: 40 }, (_, i) =>
        element('circle', {
          cx: ((i % 8) - 3.5) * 11 + (Math.floor(i / 8) % 2) * 5.5,
          cy: Math.floor(i / 8) * 14 - 26,
          r: dice.range('dot', 2, 4),
          fill: colour,
        }),
      ).join(''),
    stripes: () =>
      Array.from({ length: 11 }, (_, i) =>
        element('rect', {
          x: (i - 5) * 10 - 2,
          y: -60,
          width: dice.range('stripe', 2, 5),
          height: 120,
          fill: colour,
        }),
      ).join(''),
    badge: () =>
      element('circle', {
        cx: dice.range('badge', -12, 8),
        cy: h * 0.08,
        r: dice.range('badge size', 8, 15),
        fill: colour,
        stroke: css(palette.accent),
        'stroke-width': 2.5,
      }),
  };
  const kind = dice.pick('pattern', [
    'plain',
    'plain',
    'bands',
    'dipped',
    'dots',
    'stripes',
    'badge',
  ] as const);
  return group({ 'clip-path': sheet.clip(clip) }, draw[kind]());
}

/** A mug or cup with one handle. */
export const mug: DrawnObject = {
  turn: 12,
  draw(hand) {
    const { dice, palette, sheet } = hand;
    const top = dice.range('top', 25, 36);
    const body: Body = {
      top,
      bottom: top * dice.range('taper', 0.62, 1.02),
      height: dice.range('height', 46, 76),
      belly: dice.range('belly', -1, 6),
      tilt: dice.range('tilt', 0.14, 0.42),
    };
    const shape = outline(body);
    const y = -body.height / 2;
    const ring = (grow: number, fill: string, dy = 0) =>
      element('ellipse', { cx: 0, cy: y + dy, rx: top + grow, ry: (top + grow) * body.tilt, fill });
    const round = sheet.gradient([
      [0, shade(palette.main, -0.6), 0.55],
      [0.3, shade(palette.main, 0.5), 0.25],
      [0.6, palette.main, 0],
      [1, shade(palette.main, -0.6), 0.6],
    ]);
    const inner = sheet.gradient([
      [0, shade(palette.light, -0.05)],
      [1, shade(palette.light, -0.35)],
    ]);
    const liquid = css(colourOfLiquid(hand));
    const inside = dice.chance('light inside', 0.6)
      ? inner
      : sheet.gradient([
          [0, shade(palette.main, 0.05)],
          [1, shade(palette.main, -0.3)],
        ]);
    return group(
      { transform: `translate(${n(-6)} 0)` },
      handle(hand, body),
      path(shape, { fill: css(palette.main) }),
      pattern(hand, body, path(shape, {})),
      path(shape, { fill: round }),
      ring(1.2, css(shade(palette.main, 0.12))),
      ring(-2, inside),
      group(
        { 'clip-path': sheet.clip(ring(-2, '')) },
        ring(-3.5, liquid, dice.range('filled', 3, 14) * (0.4 + body.tilt)),
      ),
    );
  },
};

function colourOfLiquid({ dice, palette }: Hand) {
  return dice.pick('liquid', [palette.dark, shade(palette.accent, -0.15), palette.dark]);
}
