/** What lies behind things: walls, floors, boards, fabric, tiles, skies, lights out of focus. */
import { type Colour, colourAt, css, shade } from './colour.js';
import type { Dice } from './dice.js';
import { element, group, MARGIN, path, type Sheet } from './sheet.js';

/** A rectangle of the picture, pixels. */
interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Grain over an area: noise in a colour, stretched along one axis for wood and brushed metal. */
function grain(
  sheet: Sheet,
  dice: Dice,
  area: Area,
  colour: Colour,
  { x, y, octaves, strength }: { x: number; y: number; octaves: number; strength: number },
): string {
  const noise = element('feTurbulence', {
    type: dice.pick('noise', ['fractalNoise', 'turbulence']),
    baseFrequency: `${x.toFixed(4)} ${y.toFixed(4)}`,
    numOctaves: octaves,
    seed: dice.whole('seed', 1, 9999),
  });
  // Opacity follows one channel of the noise, around its mean of one half.
  const alpha = element('feColorMatrix', {
    values: `0 0 0 0 0  0 0 0 0 0  0 0 0 0 0  ${strength * 3} 0 0 0 ${-strength}`,
    result: 'alpha',
  });
  const fill = element('feFlood', { 'flood-color': css(colour) });
  const cut = element('feComposite', { in2: 'alpha', operator: 'in' });
  const filter = sheet.define(
    'filter',
    { x: 0, y: 0, width: 1, height: 1, 'color-interpolation-filters': 'sRGB' },
    noise + alpha + fill + cut,
  );
  return element('rect', { ...area, fill: '#000000', filter });
}

type Surface = (sheet: Sheet, dice: Dice, area: Area, base: Colour) => string;

const contrast = (dice: Dice, colour: Colour) =>
  shade(colour, (colour.l > 0.5 ? -1 : 1) * dice.range('contrast', 0.12, 0.4));

const wood: Surface = (sheet, dice, area, base) => {
  const across = dice.chance('across', 0.5);
  const [low, high] = [dice.range('low', 0.003, 0.01), dice.range('high', 0.04, 0.12)];
  const [x, y] = across ? [low, high] : [high, low];
  const planks = Array.from({ length: 8 }, (_, i) => {
    const at = (i * Math.max(area.width, area.height)) / dice.range('planks', 4, 8);
    const line = across
      ? ['M', area.x, area.y + at, 'h', area.width]
      : ['M', area.x + at, area.y, 'v', area.height];
    return path(line, { stroke: css(shade(base, -0.25)), 'stroke-width': 1.6 });
  });
  const veins = grain(sheet, dice, area, contrast(dice, base), { x, y, octaves: 4, strength: 1.4 });
  return veins + (dice.chance('boards', 0.6) ? planks.join('') : '');
};

const rough: Surface = (sheet, dice, area, base) => {
  const f = dice.range('scale', 0.02, 0.35);
  const strength = dice.range('strength', 0.6, 1.8);
  return grain(sheet, dice, area, contrast(dice, base), { x: f, y: f, octaves: 5, strength });
};

const clouds: Surface = (sheet, dice, area, base) => {
  const f = dice.range('scale', 0.004, 0.014);
  const size = { x: f, y: f * dice.range('flat', 1, 2.5), octaves: 5, strength: 1.5 };
  return grain(sheet, dice, area, contrast(dice, base), size);
};

const tiles: Surface = (sheet, dice, area, base) => {
  const w = dice.range('width', 22, 70);
  const h = w * dice.range('flat', 0.35, 1);
  const shift = dice.chance('bond', 0.6) ? w / 2 : 0;
  const joint = dice.range('joint', 1.5, 4);
  const parts: string[] = [];
  for (let row = 0; row * h < area.height; row++) {
    for (let column = -1; column * w < area.width; column++) {
      const colour = shade(base, dice.range(`${row} ${column}`, -0.07, 0.07));
      parts.push(
        element('rect', {
          x: area.x + column * w + (row % 2) * shift,
          y: area.y + row * h,
          width: w - joint,
          height: h - joint,
          fill: css(colour),
        }),
      );
    }
  }
  const ground = element('rect', { ...area, fill: css(contrast(dice, base)) });
  return ground + group({}, ...parts) + rough(sheet, dice.at('rough'), area, base);
};

const stripes: Surface = (_sheet, dice, area, base) => {
  const step = dice.range('step', 12, 60);
  const angle = dice.pick('angle', [0, 90, 45, -45]);
  const reach = area.width + area.height;
  const middle = `${area.x + area.width / 2} ${area.y + area.height / 2}`;
  const lines = Array.from({ length: Math.ceil((2 * reach) / step) }, (_, i) =>
    element('rect', {
      x: area.x - reach / 2,
      y: area.y - reach / 2 + i * step,
      width: 2 * reach,
      height: step * dice.range('fill', 0.2, 0.6),
      fill: css(contrast(dice, base)),
      opacity: 0.7,
    }),
  );
  return group({ transform: `rotate(${angle} ${middle})` }, ...lines);
};

const bokeh: Surface = (_sheet, dice, area, base) =>
  Array.from({ length: dice.whole('lights', 8, 24) }, (_, i) => {
    const at = dice.at(i);
    return element('circle', {
      cx: area.x + at.range('x', 0, area.width),
      cy: area.y + at.range('y', 0, area.height),
      r: at.range('r', 6, 42),
      fill: css(at.chance('near', 0.5) ? contrast(at, base) : colourAt(at, at.range('hue', 0, 1))),
      opacity: at.range('opacity', 0.15, 0.6),
    });
  }).join('');

const plain: Surface = () => '';

const SURFACES: readonly Surface[] = [wood, rough, clouds, tiles, stripes, bokeh, plain, rough];

function surface(sheet: Sheet, dice: Dice, area: Area, base: Colour): string {
  const fill = sheet.gradient(
    [
      [0, shade(base, dice.range('from', 0, 0.15))],
      [1, shade(base, -dice.range('to', 0, 0.15))],
    ],
    dice.range('angle', 0, 360),
  );
  const ground = element('rect', { ...area, fill });
  const clip = sheet.clip(element('rect', { ...area }));
  return group({ 'clip-path': clip }, ground, dice.pick('kind', SURFACES)(sheet, dice, area, base));
}

/**
 * A wall alone, or a wall and a floor, the wall a little out of focus.
 * @param base the main colour
 */
export function backdrop(sheet: Sheet, dice: Dice, size: number, base: Colour): string {
  // Beyond the picture's border, or the blur would draw darkness in from there.
  const whole: Area = {
    x: -MARGIN,
    y: -MARGIN,
    width: size + 2 * MARGIN,
    height: size + 2 * MARGIN,
  };
  const blur = element('feGaussianBlur', { stdDeviation: dice.range('focus', 0, 5) });
  const filter = sheet.define('filter', { x: 0, y: 0, width: 1, height: 1 }, blur);
  const wall = group({ filter }, surface(sheet, dice.at('wall'), whole, base));
  if (dice.chance('no floor', 0.35)) return wall;
  const y = size * dice.range('horizon', 0.42, 0.78);
  const other = colourAt(dice.at('floor colour'), dice.range('floor hue', 0, 1));
  const below: Area = { ...whole, y, height: size + MARGIN - y };
  const floor = surface(sheet, dice.at('floor'), below, other);
  const dark = element('rect', { ...whole, y, height: 3, fill: '#000000', opacity: 0.25 });
  return wall + group({}, floor, dark);
}
