/** What the README files of exported models have in common. */

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

/** Text from outside, safe in a line of Markdown. */
export function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>|#~]/g, '\\$&');
}

/** Text from outside as inline code. */
export function code(text: string): string {
  return `\`${text.replace(/\s+/g, ' ').replace(/`/g, "'")}\``;
}

/** JSON's strings and numbers are YAML too. */
const yaml = JSON.stringify;

/** To the digits that matter. */
export const round = (v: number) => Number(v.toPrecision(6));

/** How the hub files a model. */
export interface CardHead {
  /** Library that loads it. */
  readonly library: string;
  /** The hub's name of the task. */
  readonly pipeline: string;
  /** The hub's word for the kind of data set. */
  readonly dataType: string;
  readonly tags: readonly string[];
}

/** What the hub reads, between two lines of dashes. */
export function frontMatter(
  name: string,
  { library, pipeline, dataType, tags }: CardHead,
  facts: CardFacts,
): string {
  const { base, data, metrics = {} } = facts;
  const license = facts.license ?? base?.license;
  const known = license !== undefined && /^[a-z0-9][a-z0-9.-]*$/.test(license);
  const results = Object.entries(metrics);
  return [
    '---',
    `library_name: ${library}`,
    `pipeline_tag: ${pipeline}`,
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
          `  - task: {type: ${pipeline}}`,
          `    dataset: {name: ${yaml(data.name)}, type: ${dataType}}`,
          '    metrics:',
          ...results.map(([type, value]) => `    - {type: ${yaml(type)}, value: ${round(value)}}`),
        ]
      : []),
    '---',
  ].join('\n');
}

/** Where a model comes from, as a list. */
export function training(facts: CardFacts): string[] {
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

/** Names of classes, the first of them where there are many. */
export function listedLabels(labels: readonly string[]): string {
  const listed = labels.slice(0, MAX_LISTED).map(plain).join(', ');
  const more = labels.length - MAX_LISTED;
  return `Classes: ${listed}${more > 0 ? ` and ${more} more, see config.json` : ''}.`;
}

/** A table of what was reached, with its heading; nothing where nothing is known. */
export function metricsTable({ metrics = {} }: CardFacts): string[] {
  const rows = Object.entries(metrics);
  if (rows.length === 0) return [];
  return [
    '',
    '## Metrics',
    '',
    '| metric | value |',
    '| --- | --- |',
    ...rows.map(([k, v]) => `| ${plain(k)} | ${round(v)} |`),
  ];
}

/** Lines of code. */
export const fence = (language: string, lines: readonly string[]) => [
  `\`\`\`${language}`,
  ...lines,
  '```',
];
