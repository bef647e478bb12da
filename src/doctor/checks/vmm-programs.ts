import type { CheckContext, DoctorCheck } from '../check.js';
import { error, type Finding, info, of, ok, warning } from '../finding.js';

/** Of those one is enough: guests mostly have the architecture of their host. */
const QEMU = ['qemu-system-x86_64', 'qemu-system-aarch64', 'qemu-system-s390x'];
const QEMU_INSTALL = 'apt-get install qemu-system';
const OTHERS = ['cloud-hypervisor', 'firecracker', 'virsh', 'libvirtd'];
const INSTALL: Readonly<Record<string, string>> = {
  'cloud-hypervisor': 'put its release binary into /usr/local/bin',
  firecracker: 'put its release binary into /usr/local/bin',
  virsh: 'apt-get install libvirt-clients',
  libvirtd: 'apt-get install libvirt-daemon-system',
};
/** The first version of Cloud Hypervisor that is told the format of disks. */
const DISK_FORMATS_SINCE = 51;
/** Any of these runs VMs. */
const VMMS = new Set([...QEMU, 'cloud-hypervisor', 'firecracker', 'libvirtd']);

export const vmmPrograms: DoctorCheck = {
  id: 'vmm-programs',
  looksAt:
    'QEMU, Cloud Hypervisor, Firecracker, virsh and libvirtd with their versions, and the programs that VMs name.',
  why: 'A VM can only be started while its program is there; versions tell what a VMM can do.',
  look: async (context) => {
    const { host, demand } = context;
    const qemus = await Promise.all(QEMU.map(async (name) => ({ name, path: await host.findProgram(name) })));
    const present = qemus.filter(({ path }) => path !== undefined).map(({ name }) => name);
    const names = new Set([...present, ...OTHERS, ...demand.programs.keys()]);
    const findings = await Promise.all([...names].map((name) => lookAt(context, name)));
    if (present.length === 0) findings.unshift(of('qemu', info('not found', QEMU_INSTALL)));
    const isAny = findings.some(
      ({ severity, subject = '' }) =>
        severity !== 'info' && (VMMS.has(subject) || demand.programs.has(subject)),
    );
    return isAny ? findings : [warning('there is no VMM on this host', QEMU_INSTALL), ...findings];
  },
};

async function lookAt({ host, demand, call }: CheckContext, name: string): Promise<Finding> {
  const path = await host.findProgram(name);
  const wantedBy = demand.programs.get(name) ?? [];
  if (path === undefined) {
    const install = INSTALL[name] ?? (QEMU.includes(name) ? QEMU_INSTALL : 'install it, or correct its path');
    if (wantedBy.length === 0) return of(name, info('not found', install));
    return of(name, error(`not found; ${wantedBy.join(', ')} run on it`, install));
  }
  const run = await host.run([path, '--version'], call);
  if (!run.ended) return of(name, warning(`${path} does not tell its version: ${run.why}`));
  if (run.code === 0) return of(name, versionFinding(path, firstLine(run.stdout)));
  return of(name, warning(`${path} --version ended with status ${run.code}: ${firstLine(run.stderr)}`));
}

function versionFinding(path: string, version: string): Finding {
  const [, major] = /^cloud-hypervisor v(\d+)/.exec(version) ?? [];
  if (major === undefined || Number(major) >= DISK_FORMATS_SINCE) return ok(`${path}: ${version}`);
  const text = `${path}: ${version} guesses the format of disks: a guest that writes a header over its raw disk can read files of this host`;
  return warning(text, `put a release of version ${DISK_FORMATS_SINCE} or later there`);
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}
