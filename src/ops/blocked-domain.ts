/** Domain of ONNX Runtime's convolution kernels that keep a block of channels together in memory. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';
