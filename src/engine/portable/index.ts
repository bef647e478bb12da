export { PortableBackend } from './portable-backend.js';
