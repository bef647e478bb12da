import { z } from 'zod';
import { textField } from '../../probes/fields.js';
import { type BuildContext, memoryOf } from './hardware.js';
import type { HypervisorKind } from './kind.js';

const MAX_MARK = 1024;

const markField = textField(
  { unit: 'option and value', example: '-uuid 6ba7b810-9dad-41d1-80b4-00c04fd430c8' },
  (text) =>
    text.length <= MAX_MARK && /^--?[A-Za-z][\w-]* \S[^\0\n]*$/.test(text)
      ? undefined
      : `is not an option with its value ("${text}"); write what stands on the command line, such as -uuid 6ba7b810-9dad-41d1-80b4-00c04fd430c8`,
);

const schema = z.strictObject({ mark: markField });

type WrittenObserved = z.output<typeof schema>;

/** A VM that is watched by its process alone; nothing of it is opened or changed. */
export const observed: HypervisorKind<WrittenObserved> = {
  schema,
  build: ({ mark }, context: BuildContext) => ({
    driver: 'observed',
    memoryMiB: memoryOf({ adopt: mark }, context) ?? 0,
    vcpus: context.manifest.vcpus ?? 1,
    disks: [],
    interfaces: [],
    guestAgent: false,
    adopt: { mark },
  }),
  agentRemedy: () => 'use another driver than observed',
};
