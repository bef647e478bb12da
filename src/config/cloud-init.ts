import { join } from 'node:path';
import { z } from 'zod';
import type { CloudInit } from '../model/cloud-init.js';
import { given } from '../model/given.js';
import type { DiskSpec } from '../model/hypervisor.js';
import { textField } from '../probes/fields.js';

const MAX_CHARS = 512 * 1024;

const seedFile = textField({ unit: 'text', example: '#cloud-config' }, (text) => {
  if (text.trim() === '') return 'is empty; write what cloud-init is to read, or remove it';
  return text.length > MAX_CHARS
    ? `has ${text.length} characters; at most ${MAX_CHARS} are taken`
    : undefined;
});

/** `spec.cloudInit` of a host document. */
export const cloudInitSchema = z.strictObject({
  userData: seedFile,
  metaData: seedFile.optional(),
  networkConfig: seedFile.optional(),
});

export type WrittenCloudInit = z.output<typeof cloudInitSchema>;

export function buildCloudInit(
  { userData, metaData, networkConfig }: WrittenCloudInit,
  vm: { readonly uuid: string; readonly name: string },
): CloudInit {
  return {
    userData,
    metaData: metaData ?? `instance-id: ${vm.uuid}\nlocal-hostname: ${vm.name}\n`,
    ...given({ networkConfig }),
  };
}

/** The disk on which the guest finds it; made before each start where it is missing or old. */
export function seedDisk(stateDir: string, id: string): DiskSpec {
  return { name: 'cloud-init', path: join(stateDir, 'vms', id, 'seed.iso'), format: 'raw', readOnly: true };
}
