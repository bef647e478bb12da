export { parseChecksum } from './checksum.js';
export type { ImageFormat } from './image-header.js';
export { type ImageRecord, ImageStore, imageNameProblem } from './image-store.js';
export { previewPull, pullImage } from './pull-image.js';
