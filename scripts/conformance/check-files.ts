/**
 * Writes models in both layouts and has the Python package `onnx` check them; with `--large` also
 * one of more than 2 GiB, which is read back and whose memory use is printed.
 *
 *     npx tsx scripts/conformance/check-files.ts [--python python3] [--large]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { grad } from '../../src/autodiff/index.js';
import { constantOf, type HostTensor, hostTensor, input } from '../../src/graph/index.js';
import { readOnnxFile, writeOnnxFile } from '../../src/io/onnx-file.js';
import { encode, importGraph } from '../../src/onnx/index.js';
import { add, conv2d, matmul, mean, relu, sum } from '../../src/ops/index.js';

const { values: args } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    large: { type: 'boolean', default: false },
  },
});

const CHECK = `
import sys, onnx
for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
    print("onnx", onnx.__version__, "accepts", path.split("/")[-1])
`;

function weights(...shape: number[]): HostTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, (_, i) => Math.sin(i) / 10);
  return hostTensor('float32', shape, data);
}

/** A convolution, its loss and the gradient of its weight, which is a parameter. */
function training() {
  const x = input('x', 'float32', [2, 3, 16, 16]);
  const w = input('w', 'float32', [32, 3, 3, 3]);
  const y = mean(relu(conv2d(x, w, { padding: 1 })), { axes: [2, 3] });
  const scores = matmul(y, constantOf(weights(32, 64)));
  const loss = sum(scores);
  return encode({ outputs: { scores, loss, dw: grad(loss, [w])[0]! }, keepNames: true });
}

/** 2.5 GiB of weights that are one array of 256 MiB, read in ten places. */
function large() {
  const shared = weights(2048, 2048 * 16);
  const x = input('x', 'float32', [1, 2048]);
  const parts = Array.from({ length: 10 }, () => {
    // Views of one buffer are tensors of their own in the file.
    const data = new Float32Array(shared.data.buffer as ArrayBuffer, 0, shared.data.length);
    return matmul(x, constantOf({ ...shared, data }));
  });
  return encode({ outputs: { y: parts.reduce((a, b) => add(a, b)) }, keepNames: true });
}

const folder = mkdtempSync(join(tmpdir(), 'graft-onnx-'));
try {
  const single = join(folder, 'single.onnx');
  const beside = join(folder, 'beside.onnx');
  await writeOnnxFile(single, training());
  await writeOnnxFile(beside, training(), { external: true });
  const paths = [single, beside];
  if (args.large) {
    const path = join(folder, 'large.onnx');
    await writeOnnxFile(path, large(), { external: true });
    paths.push(path);
    const { size } = statSync(`${path}.data`);
    const rss = process.resourceUsage().maxRSS / 1024;
    console.log(`wrote ${size} bytes of weights; peak memory ${Math.round(rss)} MiB`);
    if (size <= 2 ** 31) throw new Error('the large model is not larger than 2 GiB');
    const { model, external } = await readOnnxFile(path);
    const offsets: number[] = [];
    let zeros: Uint8Array | undefined;
    await importGraph(model, {
      // One weight is read from disk; the others would only take memory.
      external: (p, offset, length) => {
        offsets.push(offset);
        zeros = zeros?.length === length ? zeros : new Uint8Array(length);
        return offsets.length === 10 ? external(p, offset, length) : zeros;
      },
    });
    console.log(`read it back; the last weight starts at byte ${Math.max(...offsets)}`);
  }
  const { status, stdout, stderr, error } = spawnSync(args.python, ['-c', CHECK, ...paths], {
    encoding: 'utf8',
  });
  if (error || /No module named/.test(stderr)) {
    console.error(
      `No Python with the package onnx as '${args.python}'; nothing was checked. Install it with pip install onnx, or say --python PATH.`,
    );
    process.exitCode = 1;
  } else {
    console.log(stdout.trim());
    if (status !== 0) console.error(stderr);
    process.exitCode = status ?? 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
