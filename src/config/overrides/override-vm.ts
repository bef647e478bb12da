import { VmpulseError } from '../../model/errors.js';
import type { ProbeSpec } from '../../model/probe.js';
import { type BoundVm, bindVm, type HostDefaults } from '../bind-vm.js';
import { valueAt } from '../mapping.js';
import { DEFAULT_PROBES } from '../probe-schema.js';
import { type PathStep, ProblemList } from '../problems.js';
import type { SourceDocument } from '../source-document.js';
import { readManifest } from '../virtual-machine.js';
import { readHostBinding } from '../virtual-machine-host.js';
import { recoveryOriginsOf } from './origins.js';
import { type Override, placeOfOverride } from './override.js';
import { type Change, overrideDocument } from './override-document.js';

/** What of a VM can be changed while it runs: nothing that its VMM is started with. */
export const VM_OPTIONS: readonly string[] = [
  'address',
  'livenessProbe',
  'maintenance',
  'monitoring',
  'probes',
  'readinessProbe',
  'recovery',
  'runStrategy',
  'startupProbe',
];

/** Those that the manifest may have in place of the host document. */
const MANIFEST_PROBES: readonly string[] = ['livenessProbe', 'readinessProbe'];

/** The VM as overrides change it. Throws ERR_VMPULSE_CONFIG where one of them does not fit. */
export function overriddenVm(base: BoundVm, overrides: readonly Override[], defaults: HostDefaults): BoundVm {
  if (overrides.length === 0) return base;
  const problems = new ProblemList();
  const { manifest, host } = documentsOf(base, overrides);
  const readAnew = manifest === base.manifest.document ? base.manifest : readManifest(manifest, problems);
  const binding = readHostBinding(host, problems);
  const bound = readAnew && binding && bindVm(readAnew, binding, defaults, problems);
  problems.throwIfAny();
  if (!bound) throw new VmpulseError('ERR_VMPULSE_INTERNAL', `${base.spec.id} has no problem and no value`);
  return {
    ...bound,
    spec: { ...bound.spec, recoveryOrigins: recoveryOriginsOf(bound.spec.recoveryOrigins, overrides) },
  };
}

interface Documents {
  readonly manifest: SourceDocument;
  readonly host: SourceDocument;
}

function documentsOf(base: BoundVm, overrides: readonly Override[]): Documents {
  const changes = overrides.map((override) => ({
    path: override.path.split('.'),
    value: override.value,
    place: placeOfOverride(override),
  }));
  const steps = new Set(changes.map(({ path: [first = ''] }) => first));
  const lifted = MANIFEST_PROBES.filter((name) => steps.has(name)).reduce(liftProbe, {
    manifest: base.manifest.document,
    host: ownProbesOf(base, changes).reduce(writeProbe, base.host.document),
  });
  const [ofManifest, ofHost] = [true, false].map((isOfManifest) =>
    changes
      .filter(({ path: [first] }) => (first === 'runStrategy') === isOfManifest)
      .map((change): Change => ({ ...change, path: ['spec', ...change.path] })),
  );
  return {
    manifest: ofManifest?.length ? overrideDocument(lifted.manifest, ofManifest) : lifted.manifest,
    host: overrideDocument(lifted.host, ofHost ?? []),
  };
}

/** Those of vmpulse's own probes of which something is changed; no document has them yet. */
function ownProbesOf(base: BoundVm, changes: readonly Change[]): readonly ProbeSpec[] {
  const changed = new Set(
    changes.flatMap(({ path: [first, name, ...below] }) =>
      first === 'probes' && below.length > 0 ? name : [],
    ),
  );
  const written = new Set(base.host.probes.map(({ probe }) => probe.name));
  return base.spec.probes
    .filter(({ name }) => DEFAULT_PROBES.some((own) => own.name === name))
    .filter(({ name }) => changed.has(name) && !written.has(name));
}

/** Writes a probe of vmpulse's own into the host document. */
function writeProbe(host: SourceDocument, { name, check, timing, critical }: ProbeSpec): SourceDocument {
  const { periodMs, timeoutMs, successThreshold, failureThreshold } = timing;
  const value = { [check.kind]: {}, periodMs, timeoutMs, successThreshold, failureThreshold, critical };
  const path = ['spec', 'probes', name];
  return overrideDocument(host, [{ path, value, place: host.placeOf(['spec']) }]);
}

const IN_MANIFEST = ['spec', 'template', 'spec'] as const;

/** Takes a probe over from the manifest, where vmpulse's own fields cannot stand. */
function liftProbe({ manifest, host }: Documents, name: string): Documents {
  const path = [...IN_MANIFEST, name];
  const value = valueAt(manifest.value, path);
  if (value === undefined) return { manifest, host };
  const place = manifest.placeOf(path);
  const without = overrideDocument(manifest, [{ path, value: null, place }]);
  const withIt = overrideDocument(host, [{ path: ['spec', name], value, place }]);
  const below = (steps: readonly PathStep[]) => [...IN_MANIFEST, ...steps.slice(1)];
  const isOfIt = (steps: readonly PathStep[]) => steps[0] === 'spec' && steps[1] === name;
  return {
    manifest: without,
    host: {
      ...withIt,
      placeOf: (steps) => (isOfIt(steps) ? manifest.placeOf(below(steps)) : withIt.placeOf(steps)),
      placeOfKey: (steps) => (isOfIt(steps) ? manifest.placeOfKey(below(steps)) : withIt.placeOfKey(steps)),
    },
  };
}
