import type { CheckContext, DoctorCheck } from '../check.js';
import { error, type Finding, ok, warning } from '../finding.js';

const VENDOR_MODULES = ['kvm_intel', 'kvm_amd', 'kvm_hv', 'kvm_pvm'];

export const kvmDevice: DoctorCheck = {
  id: 'kvm-device',
  looksAt: '`/dev/kvm` and the kernel modules behind it.',
  why: 'Without KVM guests are emulated, ten times slower and more.',
  look: async (context) => {
    const { host } = context;
    const [device, modules] = await Promise.all([host.stat('/dev/kvm'), host.list('/sys/module')]);
    const loaded = VENDOR_MODULES.filter((name) => modules.includes(name));
    if (device?.type === 'character-device') {
      const by = loaded.length === 0 ? 'built into the kernel' : loaded.join(', ');
      return [ok(`/dev/kvm is there (${by})`)];
    }
    if (device !== undefined) return [missing(context, '/dev/kvm is no device', 'rm /dev/kvm')];
    if (loaded.length > 0)
      return [
        missing(context, `${loaded.join(', ')} is loaded, /dev/kvm is missing`, 'udevadm trigger /dev/kvm'),
      ];
    return [
      missing(context, 'there is no /dev/kvm, and no module of KVM is loaded', await loadCommand(context)),
    ];
  },
};

/** A host whose VMs may be emulated only gets slow. */
function missing({ demand }: CheckContext, seen: string, fix: string): Finding {
  if (demand.kvmOnly.length === 0) return warning(seen, fix);
  return error(`${seen}; ${demand.kvmOnly.join(', ')} need it`, fix);
}

async function loadCommand({ host }: CheckContext): Promise<string> {
  const flags = (await host.read('/proc/cpuinfo')) ?? '';
  const module = /^flags\s*:.*\bsvm\b/m.test(flags) ? 'kvm_amd' : 'kvm_intel';
  return `modprobe ${module}; where that fails, enable virtualization in the firmware`;
}
