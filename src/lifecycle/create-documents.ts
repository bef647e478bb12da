import { documentText, type SourceFile } from '../config/index.js';
import { VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { CreateAction } from './plan.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The VM that a CREATE makes: its id, and its documents as one file. Throws ERR_VMPULSE_ARGUMENT. */
export function documentsOf(action: CreateAction): { readonly id: string; readonly file: SourceFile } {
  const { namespace, name, uuid } = identityOf(action);
  const { labels, run_strategy, vcpu_count, memory_mib, hypervisor = { qemu: {} }, host = {} } = action;
  const metadata = { name, namespace };
  const manifest = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: labels === undefined ? metadata : { ...metadata, labels },
    spec: {
      runStrategy: run_strategy,
      template: {
        spec: {
          domain: {
            ...(vcpu_count === undefined ? {} : { cpu: { cores: vcpu_count } }),
            ...(memory_mib === undefined ? {} : { memory: { guest: `${memory_mib}Mi` } }),
            devices: {},
          },
        },
      },
    },
  };
  const binding = {
    apiVersion: 'vmpulse.dev/v1',
    kind: 'VirtualMachineHost',
    metadata,
    spec: { ...host, ...given({ uuid }), hypervisor },
  };
  const text = [manifest, binding].map(documentText).join('---\n');
  return { id: `${namespace}/${name}`, file: { path: `operation ${action.operation_id}`, text } };
}

function identityOf({ vm_id, name, namespace }: CreateAction) {
  if (UUID.test(vm_id)) {
    const uuid = vm_id.toLowerCase();
    return { namespace: namespace ?? 'default', name: name ?? `vm-${uuid}`, uuid };
  }
  const [first = '', second, ...rest] = vm_id.split('/');
  const own =
    second === undefined ? { namespace: undefined, name: first } : { namespace: first, name: second };
  const differs =
    (name !== undefined && name !== own.name) ||
    (own.namespace !== undefined && namespace !== undefined && namespace !== own.namespace);
  if (rest.length > 0 || differs) {
    const text = `vm_id ${vm_id} is neither a UUID nor the name of the VM; leave out name and namespace, or give a UUID`;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
  }
  return { namespace: own.namespace ?? namespace ?? 'default', name: own.name, uuid: undefined };
}
