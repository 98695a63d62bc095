/**
 * TensorFlow.js: a peer of `npm run bench:vision`. ../serving.py says how it is driven.
 *
 * Plain JavaScript, since its packages are not installed where Graft's types are checked.
 * tfjs-node is not measured: its library is downloaded by an install script. What a registry can
 * give is the backend in WebAssembly, which has no threads in Node and cannot train convolutions,
 * and the one in JavaScript, which can.
 */
import { createInterface } from 'node:readline';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';

const BATCH = 16;
const CLASSES = 10;
/** In JavaScript a step on 16 pictures of 224^2 would take hours. */
const SMALL = { batch: 1, size: 64 };

console.warn = () => {}; // advice to install tfjs-node

const SAME = { padding: 'same', useBias: false, kernelInitializer: 'glorotNormal' };
// As a frozen base: the statistics and the affine part do not move.
const norm = () => layers.layers.batchNormalization({ trainable: false, axis: -1 });
const relu = () => layers.layers.activation({ activation: 'relu' });

function convNorm(x, filters, kernelSize, strides) {
  const y = layers.layers.conv2d({ filters, kernelSize, strides, ...SAME }).apply(x);
  return norm().apply(y);
}

function bottleneck(x, width, strides) {
  let y = relu().apply(convNorm(x, width, 1, 1));
  y = relu().apply(convNorm(y, width, 3, strides));
  y = convNorm(y, width * 4, 1, 1);
  const inside = x.shape.at(-1);
  const shortcut = strides !== 1 || inside !== width * 4 ? convNorm(x, width * 4, 1, strides) : x;
  return relu().apply(layers.layers.add().apply([y, shortcut]));
}

/** torchvision's layout; logits where `classes` are given, else pooled features. */
function resnet50(size, classes) {
  const x = layers.input({ shape: [size, size, 3] });
  let y = relu().apply(convNorm(x, 64, 7, 2));
  y = layers.layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }).apply(y);
  for (const [width, count, stride] of [
    [64, 3, 1],
    [128, 4, 2],
    [256, 6, 2],
    [512, 3, 2],
  ]) {
    for (let i = 0; i < count; i++) y = bottleneck(y, width, i === 0 ? stride : 1);
  }
  y = layers.layers.globalAveragePooling2d({}).apply(y);
  if (classes) y = layers.layers.dense({ units: classes }).apply(y);
  return layers.model({ inputs: x, outputs: y });
}

async function frozenTrunk() {
  await tf.setBackend('wasm');
  const model = resnet50(224);
  const x = tf.randomNormal([BATCH, 224, 224, 3]);
  return {
    note: 'WebAssembly with SIMD, one thread: it has no threads in Node',
    async run() {
      const y = model.predict(x);
      await y.data();
      y.dispose();
    },
  };
}

/** A step of everything but the norms, on whatever backend is set. */
function trainStep({ batch, size }) {
  const model = resnet50(size, CLASSES);
  const x = tf.randomNormal([batch, size, size, 3]);
  const labels = Array.from({ length: batch }, (_, i) => i % CLASSES);
  const targets = tf.oneHot(tf.tensor1d(labels, 'int32'), CLASSES);
  const optimizer = tf.train.adam(1e-5);
  return async () => {
    const loss = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(targets, model.apply(x, { training: false })),
      true,
      model.trainableWeights.map((w) => w.val),
    );
    await loss.data();
    loss.dispose();
  };
}

async function fullStep() {
  await tf.setBackend('wasm');
  let refusal = 'none';
  try {
    await trainStep({ batch: 1, size: 64 })();
  } catch (error) {
    refusal = error.message;
  }
  await tf.setBackend('cpu');
  const note = `backend in JavaScript; WebAssembly's error in training: "${refusal}"`;
  return { note, run: trainStep(SMALL) };
}

const ROWS = {
  'ResNet-50 frozen trunk forward, TensorFlow.js': frozenTrunk,
  'ResNet-50 full step, batch 1 at 64^2, TensorFlow.js': fullStep,
};

const ready = new Map();

async function answer({ do: what, row, calls, warm = true }) {
  if (what === 'prepare') {
    const made = await ROWS[row]();
    ready.set(row, made);
    if (warm) await made.run();
    return { note: made.note };
  }
  if (what === 'drop') {
    ready.delete(row);
    tf.disposeVariables();
    return { ok: true };
  }
  const start = performance.now();
  for (let i = 0; i < calls; i++) await ready.get(row).run();
  return { seconds: (performance.now() - start) / 1000 };
}

const say = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`);
say({ version: tf.version_core });
for await (const line of createInterface({ input: process.stdin })) {
  say(await answer(JSON.parse(line)));
}
