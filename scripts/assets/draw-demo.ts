/**
 * Draws `assets/demo/`: photographs of drawn things in six classes, the same files at every run.
 *
 *     npx tsx scripts/assets/draw-demo.ts [--out assets/demo] [--sheet sheet.png]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { OBJECTS } from './demo/objects/index.js';
import { drawPicture, PARTS } from './demo/picture.js';

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'assets/demo' }, sheet: { type: 'string' } },
});

let bytes = 0;
const cells: { input: Buffer; left: number; top: number }[] = [];
for (const [part, count] of Object.entries(PARTS)) {
  rmSync(join(values.out, part), { recursive: true, force: true });
  for (const [row, name] of Object.keys(OBJECTS).entries()) {
    const folder = join(values.out, part, name);
    mkdirSync(folder, { recursive: true });
    for (let i = 0; i < count; i++) {
      const jpeg = await drawPicture(part, name, i);
      bytes += jpeg.length;
      writeFileSync(join(folder, `${String(i + 1).padStart(2, '0')}.jpg`), jpeg);
      const column = (part === 'valid' ? PARTS.train! : 0) + i;
      cells.push({ input: jpeg, left: column * 164, top: row * 164 });
    }
  }
}
console.log(`${cells.length} pictures, ${(bytes / 1e6).toFixed(2)} MB in ${values.out}`);
if (values.sheet) {
  const columns = Object.values(PARTS).reduce((a, b) => a + b, 0);
  const size = { width: columns * 164, height: Object.keys(OBJECTS).length * 164 };
  const canvas = sharp({ create: { ...size, channels: 3, background: '#ffffff' } });
  await canvas.composite(cells).png().toFile(values.sheet);
}
