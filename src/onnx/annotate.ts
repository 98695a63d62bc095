/** What an ONNX file says about itself. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { EncodedModel } from './encode.js';
import { ModelSchema, StringStringEntrySchema } from './proto/onnx_pb.js';

/** Words for whoever opens the file; runtimes ignore them. */
export interface Annotations {
  /** Program that made it. */
  readonly producer?: string;
  readonly description?: string;
  /** Free entries, such as labels; programs read them with the runtime's metadata call. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The model with these words in the place of those that it had. */
export function annotate(
  model: EncodedModel,
  { producer, description, metadata = {} }: Annotations,
): EncodedModel {
  const proto = fromBinary(ModelSchema, model.bytes);
  if (producer !== undefined) proto.producerName = producer;
  if (description !== undefined) proto.docString = description;
  proto.metadataProps = Object.entries(metadata).map(([key, value]) =>
    create(StringStringEntrySchema, { key, value }),
  );
  return { ...model, bytes: toBinary(ModelSchema, proto) };
}
