import { readFileSync } from 'node:fs';
import { compileDaemonConfig, compileVms, type HostFacts } from '../../src/config/compile-config.js';
import type { DaemonConfig } from '../../src/config/daemon-schema.js';
import { isVmpulseError } from '../../src/model/errors.js';
import type { VmSpec } from '../../src/model/vm.js';

/** The host on which the tests' configurations are compiled, whatever the real one is. */
export const FACTS: HostFacts = { hostName: 'test-host', architecture: 'amd64' };

/** The daemon's configuration from its text; paths are relative to /etc/vmpulse. */
export function daemonConfig(text: string, path = '/etc/vmpulse/config.yaml'): DaemonConfig {
  return compileDaemonConfig({ path, text }, FACTS).config;
}

/** VMs and warnings from the text of manifests, each a file `1.yaml`, `2.yaml` …; the host takes the defaults. */
export function compile(...texts: readonly string[]): {
  readonly vms: readonly VmSpec[];
  readonly warnings: readonly string[];
} {
  const files = texts.map((text, index) => ({ path: `${index + 1}.yaml`, text }));
  return compileVms(files, daemonConfig(''), FACTS);
}

/** The one VM of some manifests. */
export function compileOne(...texts: readonly string[]): VmSpec {
  const { vms } = compile(...texts);
  const [vm] = vms;
  if (vm === undefined || vms.length !== 1) throw new Error(`expected one VM, not ${vms.length}`);
  return vm;
}

/** The message of the configuration error that `run` throws. */
export function problemsOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_CONFIG')) return error.message;
    throw error;
  }
  throw new Error('no problem was found');
}

/** A file beside the tests. */
export function fixture(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}

/** A minimal manifest and host document; `probe` and `qemu` are YAML flow mappings. */
export function pair(
  options: { readonly name?: string; readonly probe?: string; readonly spec?: string } = {},
): string {
  const {
    name = 'web-1',
    probe = '{guestAgentPing: {}}',
    spec = 'hypervisor: {qemu: {memory: 1Gi, extraArgs: [-nodefaults]}}',
  } = options;
  return `{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: ${name}},
  spec: {runStrategy: Always, template: {spec: {readinessProbe: ${probe}}}}}
---
{apiVersion: vmpulse.dev/v1, kind: VirtualMachineHost, metadata: {name: ${name}}, spec: {${spec}}}
`;
}
