/** The README of an exported text model. */
import {
  problemOf,
  type TextConfig,
  type TextHead,
  type TextModelDefinition,
} from '../models/index.js';
import type { Pooling } from '../tasks/index.js';
import {
  type CardFacts,
  fence,
  frontMatter,
  listedLabels,
  metricsTable,
  plain,
  training,
} from './card-parts.js';

/** What the card is about. */
export interface TextCardSubject {
  readonly definition: TextModelDefinition;
  readonly headName: TextHead;
  readonly config: TextConfig;
  /** Where texts are cut; null where they are not. */
  readonly maxTokens: number | null;
  /** The task it was trained for, such as `summarization`; by default the one its head is for. */
  readonly task?: string;
  /** How its vectors of texts are made; the mean over the tokens by default. */
  readonly pooling?: Pooling;
  /** Files of its ONNX models. */
  readonly onnx: readonly string[];
}

/** The hub's name for what a head is for. */
const PIPELINES: Readonly<Record<TextHead, string>> = {
  base: 'feature-extraction',
  'sequence-classification': 'text-classification',
  'token-classification': 'token-classification',
  'question-answering': 'question-answering',
  'masked-lm': 'fill-mask',
  'causal-lm': 'text-generation',
  'seq2seq-lm': 'text2text-generation',
};

/** Tasks that are said more closely than by the head. */
const CLOSER = new Set(['translation', 'summarization', 'sentence-similarity']);

/** The hub's name of a model's task. */
export function textPipeline({
  headName,
  task,
}: Pick<TextCardSubject, 'headName' | 'task'>): string {
  return task !== undefined && CLOSER.has(task) ? task : PIPELINES[headName];
}

/** Whether transformers.js has a class for an architecture's head. */
export function inTransformersJs(
  { modelType, kind }: TextModelDefinition,
  head: TextHead,
): boolean {
  if (kind === 'encoder') return true;
  if (head === 'base' || head === 'causal-lm' || head === 'seq2seq-lm') return true;
  return modelType === 'bart' && head === 'sequence-classification';
}

/** What the card says a model is. */
const SUBJECTS: Readonly<Record<TextHead, string>> = {
  base: 'A model that makes vectors of tokens',
  'sequence-classification': 'A classifier of texts',
  'token-classification': 'A classifier of words',
  'question-answering': 'A model that finds answers in texts',
  'masked-lm': 'A language model that guesses masked words',
  'causal-lm': 'A language model that goes on with texts',
  'seq2seq-lm': 'A model that makes texts of texts',
};

/** How the numbers of a head are read. */
function reading({ headName, config, task, pooling }: TextCardSubject): string {
  if (headName === 'base') {
    const which =
      pooling?.mode === 'cls'
        ? 'that of its first token'
        : 'the mean over its tokens, padding left out,';
    const pooled = `${which} is the vector of a text`;
    return task === 'sentence-similarity'
      ? `\`last_hidden_state\`: ${pooled}; texts are compared by the cosine.`
      : `\`last_hidden_state\` holds a vector for each token; ${pooled}.`;
  }
  if (headName === 'sequence-classification') {
    if (problemOf(config) === 'regression') return 'The logit is the score itself.';
    return config.problem === 'multi_label_classification'
      ? 'The sigmoid of each logit is the probability of its class; several may hold.'
      : 'The softmax of the logits gives the probabilities of the classes.';
  }
  if (headName === 'question-answering') {
    return '`start_logits` and `end_logits` rate each token as the first and the last one of the answer.';
  }
  return 'The softmax of the logits of a token gives the probabilities.';
}

/** How Python asks it: by a pipeline, or, where transformers 5 has none any more, by the model itself. */
function python(pipeline: string, { headName, config, maxTokens }: TextCardSubject): string[] {
  const folder = '"path/to/this/folder"';
  const loaded = (name: string) => [
    `from transformers import ${name}, AutoTokenizer`,
    `tokenizer = AutoTokenizer.from_pretrained(${folder})`,
    `model = ${name}.from_pretrained(${folder})`,
  ];
  if (headName === 'seq2seq-lm') {
    return [
      ...loaded('AutoModelForSeq2SeqLM'),
      'ids = model.generate(**tokenizer("a text", return_tensors="pt"))',
      'print(tokenizer.batch_decode(ids, skip_special_tokens=True))',
    ];
  }
  if (headName === 'question-answering') {
    return [
      ...loaded('AutoModelForQuestionAnswering'),
      'results = model(**tokenizer("Who?", "Ann did.", return_tensors="pt"))',
      'print(results.start_logits.argmax(), results.end_logits.argmax())',
    ];
  }
  // Without it this pipeline reads what the model was never asked to.
  const cut = headName === 'sequence-classification' && maxTokens !== null;
  const several = config.problem === 'multi_label_classification' ? ', top_k=None' : '';
  return [
    'from transformers import pipeline',
    `answer = pipeline("${pipeline}", model=${folder}${several})`,
    `print(answer("a text"${cut ? ', truncation=True' : ''}))`,
  ];
}

function usage(subject: TextCardSubject): string[] {
  const { definition, headName, config, maxTokens, onnx } = subject;
  const { architecture } = definition.heads[headName]!;
  const named = textPipeline(subject);
  // Names of the hub that no pipeline has.
  const pipeline = named === 'sentence-similarity' ? 'feature-extraction' : named;
  const javascript = [
    'JavaScript, transformers.js:',
    '',
    ...fence('js', [
      "import { env, pipeline } from '@huggingface/transformers';",
      "env.localModelPath = 'path/to/'; // not needed for a model on the hub",
      `const answer = await pipeline('${pipeline}', 'this-folder', { dtype: 'fp32' });`,
      pipeline === 'question-answering'
        ? "console.log(await answer('Who?', 'Ann did.'));"
        : "console.log(await answer('a text'));",
    ]),
    '',
  ];
  const inputs = definition.inputs.filter((name) => !name.startsWith('decoder_'));
  const feeds = inputs.map((name) => `"${name}": ${name}`).join(', ');
  const single = onnx.length === 1 && headName !== 'causal-lm';
  return [
    `Python, transformers (${architecture}):`,
    '',
    ...fence('python', python(pipeline, subject)),
    '',
    ...(inTransformersJs(definition, headName) ? javascript : []),
    `Plain ONNX Runtime: ${onnx.map((file) => `\`onnx/${file}\``).join(' and ')}; ids and masks are int64 [batch, tokens], of any batch and length${config.maxTokens === null ? '' : ` up to ${config.maxTokens} tokens`}.${maxTokens === null ? '' : ` Longer texts than ${maxTokens} tokens are cut to that, as in training.`}`,
    ...(single
      ? [
          '',
          ...fence('python', [
            'import onnxruntime',
            'session = onnxruntime.InferenceSession("onnx/model.onnx")',
            `results = session.run(None, {${feeds}})`,
          ]),
        ]
      : [
          '`past_key_values.*` of the decoder have 0 tokens in the first run; `present.*` of a run go into the next one, which takes one token.',
        ]),
    '',
    reading(subject),
  ];
}

/** The card as Markdown. @param name heading, when the facts have none */
export function textCard(name: string, subject: TextCardSubject, facts: CardFacts = {}): string {
  const { definition, headName, config } = subject;
  const heading = facts.name ?? name;
  const pipeline = textPipeline(subject);
  const tags = [pipeline, 'graft', 'onnx'];
  if (inTransformersJs(definition, headName)) tags.push('transformers.js');
  const head = { library: 'transformers', pipeline, dataType: 'text', tags };
  const { outputs } = definition.heads[headName]!;
  const isNumber = headName === 'sequence-classification' && problemOf(config) === 'regression';
  const labelled = outputs !== undefined && !isNumber;
  return [
    frontMatter(heading, head, facts),
    '',
    `# ${plain(heading)}`,
    '',
    `${SUBJECTS[headName]} (${plain(definition.modelType)}, ${definition.source.paper}), trained with Graft.`,
    '',
    ...training(facts),
    ...(labelled ? ['', listedLabels(config.labels)] : []),
    ...metricsTable(facts),
    '',
    '## Use',
    '',
    ...usage(subject),
    '',
    'To train it further: `npx graft fit DATA --base path/to/this/folder`.',
    '',
  ].join('\n');
}
