/** A made-up run for tests of the report: a classifier that is right four times in five. */
import sharp from 'sharp';
import {
  accuracy,
  auroc,
  bootstrapInterval,
  calibrationError,
  classificationMetrics,
  classScores,
  confusionMatrix,
  type Predictions,
  predictedClasses,
  reliability,
} from '../../src/metrics/index.js';
import type { LogRecord } from '../../src/train/metrics-log.js';
import type {
  ReportAttention,
  ReportData,
  ReportSample,
} from '../../src/train/report/report-data.js';
import { KeyedRandom } from '../../src/util/index.js';

/** Predictions that lean to the right class. */
function predict(classes: number, count: number, random: KeyedRandom): Predictions {
  const labels = Array.from({ length: count }, (_, i) => random.integer(i, classes));
  const probabilities = new Float32Array(count * classes);
  for (const [i, label] of labels.entries()) {
    const draw = random.fold(i);
    const logits = Array.from({ length: classes }, (_, c) => {
      // Neighbours are alike, so mistakes gather beside the diagonal.
      const near = Math.abs(c - label) === 1 ? 1.2 : 0;
      return (draw.normal(c) * 1.3 + (c === label ? 4.6 : near)) * 1.6;
    });
    const sum = logits.reduce((s, l) => s + Math.exp(l), 0);
    for (const [c, logit] of logits.entries()) {
      probabilities[i * classes + c] = Math.exp(logit) / sum;
    }
  }
  return { classes, probabilities, labels };
}

/** Two phases of training with their noise. */
function trainingLog(random: KeyedRandom): LogRecord[] {
  const log: LogRecord[] = [];
  const perEpoch = 40;
  for (let step = 1; step <= 8 * perEpoch; step++) {
    const epoch = step / perEpoch;
    const phase = epoch <= 2 ? 'head' : 'all';
    const trend = 0.18 + 0.65 * Math.exp(-epoch / 1.6);
    const lr = epoch <= 2 ? 1e-2 : 1e-3 * (0.5 + 0.5 * Math.cos((Math.PI * (epoch - 2)) / 6));
    log.push({
      step,
      epoch,
      phase,
      split: 'train',
      values: {
        loss: Math.max(0.02, trend + 0.09 * random.normal(step)),
        ...(phase === 'head' ? { 'lr.head': lr } : { 'lr.head': lr, 'lr.trunk': lr / 10 }),
      },
    });
    if (step % perEpoch > 0) continue;
    const settle = 1 - Math.exp(-epoch / 1.3);
    const wobble = 0.01 * random.fold('valid').normal(step);
    const values = {
      accuracy: 0.5 + 0.44 * settle + wobble,
      f1: 0.48 + 0.45 * settle + wobble,
      auroc: 0.6 + 0.38 * settle,
      logLoss: 0.28 + 0.5 * Math.exp(-epoch / 1.5) + 0.012 * Math.max(0, epoch - 5),
    };
    log.push({ step, epoch, phase, split: 'valid', values });
  }
  return log;
}

/** A small picture of stripes, unlike its neighbours. */
async function drawn(i: number): Promise<string> {
  const side = 96;
  const data = new Uint8Array(side * side * 3);
  for (let at = 0; at < side * side; at++) {
    const [x, y] = [at % side, Math.floor(at / side)];
    const wave = Math.sin((x * (i % 5) + y * ((i * 3) % 7)) / 12);
    data.set([120 + 80 * wave, 140 + 8 * i, 200 - 90 * wave], at * 3);
  }
  const jpeg = await sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .jpeg()
    .toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}

/**
 * Data with every part filled.
 * @param names the classes
 * @param thumbnails pictures to take in turn, instead of drawn ones
 */
export async function sampleReport(
  names: readonly string[],
  { count = 180, thumbnails = [] as readonly string[] } = {},
): Promise<ReportData> {
  const random = KeyedRandom.of(11);
  const predictions = predict(names.length, count, random);
  const { labels, probabilities } = predictions;
  const all = classificationMetrics(predictions);
  const order = ['accuracy', 'f1', ...Object.keys(all).filter((n) => !/^(accuracy|f1)$/.test(n))];
  const confusion = confusionMatrix(predictions);
  const given = predictedClasses(predictions);
  const samples = await Promise.all(
    Array.from({ length: count }, (_, i) => i)
      .sort((a, b) => {
        const own = (i: number) => probabilities[i * names.length + labels[i]!]!;
        return own(a) - own(b);
      })
      .slice(0, 12)
      .map(async (i, n): Promise<ReportSample & { thumbnail: string }> => {
        const own = probabilities[i * names.length + labels[i]!]!;
        return {
          id: `val/${names[labels[i]!]}/IMG_${1000 + 37 * i}.jpg`,
          thumbnail: thumbnails[n % thumbnails.length] ?? (await drawn(n)),
          actual: labels[i]!,
          predicted: given[i]!,
          probability: probabilities[i * names.length + given[i]!]!,
          actualProbability: own,
          loss: -Math.log(own),
        };
      }),
  );
  const bins = reliability(predictions);
  return {
    title: 'Ants, bees and the like',
    created: '2026-03-01T14:05:09.000Z',
    split: 'valid',
    run: {
      task: 'image-classification',
      command:
        'graft fit data/hymenoptera --base google/mobilenet_v2_1.0_224 --epochs 8 --batch 16 --augment default --seed 42 --out runs/hymenoptera',
      seed: 42,
      base: 'google/mobilenet_v2_1.0_224',
      method: 'fine-tune',
      device: 'cpu, 2 threads',
      data: {
        path: 'data/hymenoptera',
        split: 'train/ and val/ as they came; 3 near-duplicates kept on one side',
        counts: { train: 640, valid: count },
      },
      parameters: { total: 2_226_434, trainable: 2_192_322 },
      settings: {
        epochs: 8,
        batch: 16,
        lr: 0.001,
        augment: 'default',
        'label smoothing': 0.1,
        ema: false,
      },
      versions: { graftml: '0.1.0', node: '20.19.5', onnxruntime: '1.30.0', sharp: '0.35.5' },
    },
    metrics: order.map((name) => {
      const value = all[name as keyof typeof all]!;
      const metric = name === 'accuracy' ? accuracy : name === 'auroc' ? auroc : null;
      if (!metric) return { name, value };
      const { low, high } = bootstrapInterval(metric, predictions, { random, replicates: 50 });
      return { name, value, interval: { low, high, level: 0.95 } };
    }),
    comparison: {
      metric: 'accuracy',
      higherIsBetter: true,
      transfer: [all.accuracy, all.accuracy - 0.013, all.accuracy + 0.009],
      scratch: [0.712, 0.745, 0.699],
      budget: '8 epochs of 640 pictures',
    },
    log: trainingLog(random),
    best: { step: 240, epoch: 6 },
    classes: { names, confusion: [...confusion.counts], scores: classScores(confusion) },
    calibration: { bins, error: calibrationError(bins) },
    topLosses: samples,
    attention: samples
      .filter((s) => s.actual !== s.predicted)
      .slice(0, 6)
      .map((s, i): ReportAttention => {
        const at = (k: number) =>
          Math.exp(-(((k % 7) - (i % 5) - 1) ** 2 + (Math.floor(k / 7) - 3) ** 2) / 5);
        const values = Float32Array.from({ length: 49 }, (_, k) => at(k));
        return { ...s, heat: { height: 7, width: 7, values } };
      }),
    skipped: [
      { id: 'train/ants/0013035.jpg', reason: 'truncated: the file ends within the picture' },
      { id: 'train/bees/notes.txt', reason: 'not a picture' },
    ],
    timing: {
      seconds: 341.2,
      parts: { training: 248.3, evaluation: 41.7, reading: 22.1, checkpoints: 9.4 },
      stepMs: 642.5,
      samplesPerSecond: 24.9,
      peakBytes: 1_412_345_678,
    },
  };
}
