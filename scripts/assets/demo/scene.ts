/** A scene: backdrop, clutter, one thing of a class, and perhaps something in the way. */
import { backdrop } from './backdrop.js';
import { clutter } from './clutter.js';
import { type Colour, colourAt, paletteAt } from './colour.js';
import type { Dice } from './dice.js';
import { drawLight, type Light, relief } from './light.js';
import type { DrawnObject } from './objects/index.js';
import { element, group, MARGIN, n, Sheet } from './sheet.js';

/** Pixels of a scene before it is photographed. */
export const SCENE = 320;

/** Colours that are spread evenly over the pictures of a class, so that no class has its own. */
export interface Hues {
  /** Place on the hue circle of the thing's main colour, from 0 to 1. */
  readonly thing: number;
  /** The same for the backdrop. */
  readonly backdrop: number;
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
  readonly turn: number;
  readonly flip: boolean;
  readonly stretch: number;
}

function put(content: string, { x, y, scale, turn, flip, stretch }: Place): string {
  const size = `scale(${n(flip ? -scale * stretch : scale * stretch)} ${n(scale)})`;
  return group({ transform: `translate(${n(x)} ${n(y)}) rotate(${n(turn)}) ${size}` }, content);
}

function standing(sheet: Sheet, dice: Dice, light: Light, content: string, place: Place): string {
  const filter = relief(sheet, dice.at('relief'), light, 100 * place.scale);
  return group({ filter }, put(content, place));
}

function bystander(sheet: Sheet, dice: Dice, light: Light, base: Colour, place: Place): string {
  const palette = paletteAt(dice.at('colours'), dice.range('hue', 0, 1), base);
  return standing(sheet, dice, light, clutter(dice.at('thing'), palette, sheet), place);
}

/** Something at the border of the thing that hides a little of it. */
function obstacle(sheet: Sheet, dice: Dice, light: Light, base: Colour, thing: Place): string {
  const angle = dice.range('angle', 0, 2 * Math.PI);
  const reach = 52 * thing.scale;
  return bystander(sheet, dice, light, base, {
    x: thing.x + Math.cos(angle) * reach,
    y: thing.y + Math.sin(angle) * reach,
    scale: thing.scale * dice.range('scale', 0.45, 0.8),
    turn: dice.range('turn', -40, 40),
    flip: dice.chance('flip', 0.5),
    stretch: 1,
  });
}

/** The SVG of a scene with one thing in it. */
export function scene(dice: Dice, object: DrawnObject, hues: Hues): string {
  const sheet = new Sheet();
  const base = colourAt(dice.at('backdrop colour'), hues.backdrop);
  const light = drawLight(dice.at('light'));
  const scale = dice.range('scale', 1.55, 2.75);
  const room = SCENE / 2 - 44 * scale;
  const thing: Place = {
    x: SCENE / 2 + dice.range('x', -1, 1) * Math.max(12, room),
    y: SCENE / 2 + dice.range('y', -1, 1) * Math.max(12, room),
    scale,
    turn: dice.range('turn', -1, 1) * object.turn,
    flip: dice.chance('flip', 0.5),
    stretch: dice.range('stretch', 0.86, 1.12),
  };
  const palette = paletteAt(dice.at('thing colours'), hues.thing, base);
  const body = object.draw({ dice: dice.at('thing'), palette, sheet });
  const around = Array.from({ length: dice.whole('clutter', 1, 5) }, (_, i) => {
    const at = dice.at(`clutter ${i}`);
    return bystander(sheet, at, light, base, {
      x: at.range('x', 0, SCENE),
      y: at.range('y', 0, SCENE),
      scale: at.range('scale', 0.5, 1.7),
      turn: at.range('turn', -180, 180),
      flip: false,
      stretch: at.range('stretch', 0.7, 1.3),
    });
  });
  const parts = [
    backdrop(sheet, dice.at('backdrop'), SCENE, base),
    ...around,
    standing(sheet, dice.at('stand'), light, body, thing),
  ];
  if (dice.chance('obstacle', 0.35))
    parts.push(obstacle(sheet, dice.at('obstacle'), light, base, thing));
  return sheet.svg(SCENE, ...parts, glow(sheet, dice.at('glow'), light));
}

/** Light falls off across the picture. */
function glow(sheet: Sheet, dice: Dice, { azimuth }: Light): string {
  const strength = dice.range('strength', 0, 0.55);
  const fill = sheet.gradient(
    [
      [0, { h: dice.range('warmth', 20, 60), s: 0.5, l: 0.9 }, strength * 0.35],
      [0.45, { h: 0, s: 0, l: 0.5 }, 0],
      [1, { h: 230, s: 0.3, l: 0.03 }, strength],
    ],
    azimuth + 180,
  );
  const side = SCENE + 2 * MARGIN;
  return element('rect', { x: -MARGIN, y: -MARGIN, width: side, height: side, fill });
}
