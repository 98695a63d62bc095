/** Light on things: a filter that gives flat shapes relief, gloss and a shadow. */
import type { Dice } from './dice.js';
import { element, type Sheet } from './sheet.js';

/** Where a scene's light comes from. */
export interface Light {
  /** Degrees in the picture plane. */
  readonly azimuth: number;
  /** Degrees above the picture plane. */
  readonly elevation: number;
  /** From 0 (overcast) to 1 (a spotlight). */
  readonly hardness: number;
}

/** The light of a scene; mostly from above. */
export function drawLight(dice: Dice): Light {
  return {
    azimuth: dice.range('azimuth', 190, 350),
    elevation: dice.range('elevation', 30, 65),
    hardness: dice.range('hardness', 0, 1),
  };
}

/**
 * A filter: the blurred outline is taken for a height, lit from the light's side, with gloss, and
 * casts a shadow away from the light.
 * @param size how large the thing is, pixels
 * @returns how to refer to it
 */
export function relief(sheet: Sheet, dice: Dice, light: Light, size: number): string {
  const { azimuth, elevation, hardness } = light;
  const distant = element('feDistantLight', { azimuth, elevation });
  const away = ((azimuth + 180) * Math.PI) / 180;
  const reach = size * dice.range('reach', 0.02, 0.12);
  const gloss = dice.chance('glossy', 0.5) ? dice.range('gloss', 0.3, 1) : 0;
  const steps = [
    element('feGaussianBlur', {
      in: 'SourceAlpha',
      stdDeviation: size * dice.range('round', 0.012, 0.035),
      result: 'height',
    }),
    element(
      'feDiffuseLighting',
      {
        in: 'height',
        surfaceScale: size * dice.range('relief', 0.02, 0.05),
        diffuseConstant: 1 / Math.sin((elevation * Math.PI) / 180),
        'lighting-color': '#ffffff',
        result: 'diffuse',
      },
      distant,
    ),
    element('feComposite', {
      in: 'SourceGraphic',
      in2: 'diffuse',
      operator: 'arithmetic',
      k1: 0.45 + 0.4 * hardness,
      k2: 0.55 - 0.4 * hardness,
      result: 'lit',
    }),
    element(
      'feSpecularLighting',
      {
        in: 'height',
        surfaceScale: size * 0.03,
        specularConstant: gloss,
        specularExponent: dice.range('exponent', 8, 30),
        'lighting-color': '#ffffff',
        result: 'gloss',
      },
      distant,
    ),
    element('feComposite', {
      in: 'lit',
      in2: 'gloss',
      operator: 'arithmetic',
      k2: 1,
      k3: 0.6,
      result: 'glossy',
    }),
    element('feComposite', { in: 'glossy', in2: 'SourceAlpha', operator: 'in', result: 'thing' }),
    element('feGaussianBlur', {
      in: 'SourceAlpha',
      stdDeviation: size * (0.045 - 0.03 * hardness),
      result: 'soft',
    }),
    element('feOffset', {
      in: 'soft',
      dx: Math.cos(away) * reach,
      dy: Math.abs(Math.sin(away)) * reach,
      result: 'moved',
    }),
    element(
      'feComponentTransfer',
      { in: 'moved', result: 'faint' },
      element('feFuncA', { type: 'linear', slope: 0.25 + 0.4 * hardness }),
    ),
    // The shadow is the outline in black.
    element('feColorMatrix', {
      in: 'faint',
      values: '0 0 0 0 0  0 0 0 0 0  0 0 0 0 0  0 0 0 1 0',
      result: 'shadow',
    }),
    element('feMerge', {}, '<feMergeNode in="shadow"/><feMergeNode in="thing"/>'),
  ];
  const room = { x: '-25%', y: '-25%', width: '150%', height: '150%' };
  return sheet.define('filter', { ...room, 'color-interpolation-filters': 'sRGB' }, steps.join(''));
}
