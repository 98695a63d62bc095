/** The runtime of Node. */
export * from './ort-node.js';
