import { isIP } from 'node:net';

const MAX_HOST_BYTES = 253;
const MAX_LABEL_BYTES = 63;

/** True for a name or IP literal that TLS can ask for. */
export function isServerName(host: string): boolean {
  return isIP(host) !== 0 || isDnsName(host);
}

function isDnsName(name: string): boolean {
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.');
  const isLabel = (label: string): boolean =>
    label.length <= MAX_LABEL_BYTES && /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?$/.test(label);
  // A last label of digits alone would be half an address.
  return name.length <= MAX_HOST_BYTES && labels.every(isLabel) && !/^\d+$/.test(labels.at(-1) ?? '');
}
