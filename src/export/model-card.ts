/** The README of an exported model: what it is, where it comes from, how to use it. */
import type { ImageConfig, ImagePreprocess } from '../models/index.js';
import {
  type CardFacts,
  type CardHead,
  fence,
  frontMatter,
  listedLabels,
  metricsTable,
  plain,
  round,
  training,
} from './card-parts.js';
import type { Loaders } from './layout.js';
import { ONNX_INPUT } from './onnx.js';

/** What the card is about. */
export interface CardSubject {
  readonly modelType: string;
  readonly config: ImageConfig;
  readonly preprocess: ImagePreprocess;
  readonly loaders: Loaders;
  readonly source: { readonly paper: string; readonly code: string };
}

function head({ loaders }: CardSubject): CardHead {
  return {
    library: loaders.transformers ? 'transformers' : loaders.timm ? 'timm' : 'graftml',
    pipeline: 'image-classification',
    dataType: 'imagefolder',
    tags: [
      'image-classification',
      'graft',
      'onnx',
      ...(loaders.transformersJs ? ['transformers.js'] : []),
    ],
  };
}

/** The steps from a picture to pixels, in words. */
export function preprocessSteps(p: ImagePreprocess): string[] {
  const size = `${p.height} x ${p.width}`;
  const geometry =
    p.fit === 'crop'
      ? `resize the short side to ${p.shortSide} pixels (${p.resample}), cut the centre, ${size} (height x width)`
      : p.squashTo
        ? `resize to ${p.squashTo.join(' x ')} pixels whatever the aspect (${p.resample}), cut the centre, ${size} (height x width)`
        : `resize to ${size} pixels (height x width) whatever the aspect (${p.resample})`;
  const factor = Math.abs(p.rescale * 255 - 1) < 1e-9 ? '1/255' : String(p.rescale);
  return [
    geometry,
    `multiply by ${factor}, subtract [${p.mean.map(round).join(', ')}], divide by [${p.deviation.map(round).join(', ')}]`,
    `order the axes as [batch, ${p.mean.length === 3 ? 'red green blue' : 'channels'}, height, width], float32`,
  ];
}

function usage({ loaders, preprocess, modelType, config, source }: CardSubject): string[] {
  const { channels } = config;
  const shape = `[batch, ${channels}, ${preprocess.height}, ${preprocess.width}]`;
  const runtime = [
    'Plain ONNX Runtime, any architecture; labels and preprocessing are in the metadata of the file:',
    '',
    ...fence('python', [
      'import json, onnxruntime',
      'session = onnxruntime.InferenceSession("onnx/model.onnx")',
      'labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])',
      `logits = session.run(None, {"${ONNX_INPUT}": pixels})[0]  # pixels: float32 ${shape}`,
    ]),
    '',
    ...fence('js', [
      "import * as ort from 'onnxruntime-node'; // or onnxruntime-web",
      "const session = await ort.InferenceSession.create('onnx/model.onnx');",
      `const { logits } = await session.run({ ${ONNX_INPUT}: new ort.Tensor('float32', pixels, ${JSON.stringify([1, channels, preprocess.height, preprocess.width])}) });`,
    ]),
  ];
  const pipeline = [
    'from transformers import pipeline',
    'classify = pipeline("image-classification", model="path/to/this/folder")',
    'print(classify("picture.jpg"))',
  ];
  if (loaders.transformers) {
    return [
      `Python, transformers (${loaders.transformers}):`,
      '',
      ...fence('python', pipeline),
      '',
      'JavaScript, transformers.js:',
      '',
      ...fence('js', [
        "import { env, pipeline } from '@huggingface/transformers';",
        "env.localModelPath = 'path/to/'; // not needed for a model on the hub",
        "const classify = await pipeline('image-classification', 'this-folder', { dtype: 'fp32' });",
        "console.log(await classify('picture.jpg'));",
      ]),
      '',
      ...runtime,
    ];
  }
  if (loaders.timm) {
    return [
      `transformers has no ${plain(modelType)} of its own and transformers.js none at all; timm has one, and transformers can go through it.`,
      '',
      ...fence('python', [
        'import timm',
        'model = timm.create_model("local-dir:path/to/this/folder", pretrained=True).eval()',
      ]),
      '',
      ...fence('python', pipeline),
      '',
      ...runtime,
    ];
  }
  return [
    `Neither transformers nor transformers.js nor timm has this model. The tensors in model.safetensors have the names of its reference implementation, ${source.code}.`,
    '',
    ...runtime,
  ];
}

/** The card as Markdown. @param name heading, when the facts have none */
export function modelCard(name: string, subject: CardSubject, facts: CardFacts = {}): string {
  const { config, modelType, preprocess, source } = subject;
  const { labels } = config;
  const heading = facts.name ?? name;
  return [
    frontMatter(heading, head(subject), facts),
    '',
    `# ${plain(heading)}`,
    '',
    `An image classifier (${plain(modelType)}, ${source.paper}) of ${labels.length} classes, trained with Graft.`,
    '',
    ...training(facts),
    '',
    listedLabels(labels),
    ...metricsTable(facts),
    '',
    '## Use',
    '',
    ...usage(subject),
    '',
    'To train it further: `npx graft fit DATA --base path/to/this/folder`.',
    '',
    '## Preprocessing',
    '',
    ...preprocessSteps(preprocess).map((step, i) => `${i + 1}. ${step}`),
    '',
  ].join('\n');
}
