/** The README of an exported model: what it is, where it comes from, how to use it. */
import type { ImageConfig, ImagePreprocess } from '../models/index.js';
import type { Loaders } from './layout.js';
import { ONNX_INPUT } from './onnx.js';

/** More labels than this are not listed. */
const MAX_LISTED = 100;

/** What a card tells of the training; what is not given is not told. */
export interface CardFacts {
  /** Heading; the name of the folder by default. */
  readonly name?: string;
  /** What training started from. */
  readonly base?: {
    /** `org/name` on the hub, or what the person called it. */
    readonly name: string;
    /** Its licence, as the hub writes it (`apache-2.0`), if it is known. */
    readonly license?: string;
  };
  /** Licence of this model; the base's by default. */
  readonly license?: string;
  /** How it was trained, such as `fine-tune`. */
  readonly method?: string;
  readonly data?: {
    readonly name: string;
    readonly trainingSamples?: number;
    readonly validationSamples?: number;
  };
  /** Values on the validation data by the field's names, such as `accuracy`. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Command that trains it again. */
  readonly command?: string;
}

/** What the card is about. */
export interface CardSubject {
  readonly modelType: string;
  readonly config: ImageConfig;
  readonly preprocess: ImagePreprocess;
  readonly loaders: Loaders;
  readonly source: { readonly paper: string; readonly code: string };
}

/** Text from outside, safe in a line of Markdown. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>|#~]/g, '\\$&');
}

/** Text from outside as inline code. */
function code(text: string): string {
  return `\`${text.replace(/\s+/g, ' ').replace(/`/g, "'")}\``;
}

/** JSON's strings and numbers are YAML too. */
const yaml = JSON.stringify;

const round = (v: number) => Number(v.toPrecision(6));

function frontMatter(name: string, { loaders }: CardSubject, facts: CardFacts): string {
  const { base, data, metrics = {} } = facts;
  const license = facts.license ?? base?.license;
  const known = license !== undefined && /^[a-z0-9][a-z0-9.-]*$/.test(license);
  const library = loaders.transformers ? 'transformers' : loaders.timm ? 'timm' : 'graftml';
  const tags = ['image-classification', 'graft', 'onnx'];
  if (loaders.transformersJs) tags.push('transformers.js');
  const results = Object.entries(metrics);
  return [
    '---',
    `library_name: ${library}`,
    'pipeline_tag: image-classification',
    ...(known ? [`license: ${license}`] : []),
    ...(license && !known ? ['license: other', `license_name: ${yaml(license)}`] : []),
    ...(base && /^[\w.-]+\/[\w.-]+$/.test(base.name) && !base.name.startsWith('graft/')
      ? [`base_model: ${base.name}`]
      : []),
    `tags: [${tags.map((t) => yaml(t)).join(', ')}]`,
    ...(results.length && data
      ? [
          'model-index:',
          `- name: ${yaml(name)}`,
          '  results:',
          '  - task: {type: image-classification}',
          `    dataset: {name: ${yaml(data.name)}, type: imagefolder}`,
          '    metrics:',
          ...results.map(([type, value]) => `    - {type: ${yaml(type)}, value: ${round(value)}}`),
        ]
      : []),
    '---',
  ].join('\n');
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

function training(facts: CardFacts): string[] {
  const { base, data, method, command } = facts;
  const license = facts.license ?? base?.license;
  const samples = [
    data?.trainingSamples === undefined ? '' : `${data.trainingSamples} to train on`,
    data?.validationSamples === undefined ? '' : `${data.validationSamples} to validate with`,
  ].filter(Boolean);
  const from = base?.license ? ` (${plain(base.license)})` : '';
  return [
    ...(base ? [`- Base: ${plain(base.name)}${from}`] : []),
    `- Licence: ${license ? plain(license) : 'not known; find out what the base and the data allow before you publish this model'}`,
    ...(data
      ? [`- Data: ${plain(data.name)}${samples.length ? `, ${samples.join(', ')}` : ''}`]
      : []),
    ...(method ? [`- Method: ${plain(method)}`] : []),
    ...(command ? [`- Trained by: ${code(command)}`] : []),
  ];
}

const fence = (language: string, lines: readonly string[]) => [
  `\`\`\`${language}`,
  ...lines,
  '```',
];

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
  const listed = labels.slice(0, MAX_LISTED).map(plain).join(', ');
  const more = labels.length - MAX_LISTED;
  const metrics = Object.entries(facts.metrics ?? {});
  return [
    frontMatter(heading, subject, facts),
    '',
    `# ${plain(heading)}`,
    '',
    `An image classifier (${plain(modelType)}, ${source.paper}) of ${labels.length} classes, trained with Graft.`,
    '',
    ...training(facts),
    '',
    `Classes: ${listed}${more > 0 ? ` and ${more} more, see config.json` : ''}.`,
    ...(metrics.length
      ? [
          '',
          '## Metrics',
          '',
          '| metric | value |',
          '| --- | --- |',
          ...metrics.map(([k, v]) => `| ${plain(k)} | ${round(v)} |`),
        ]
      : []),
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
