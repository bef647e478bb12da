import type { FoundVm, Mark } from './found-vm.js';

/** Options that tell VMs apart, the surest first, and which part of their value does so; none: the first. */
const OPTIONS: Readonly<Record<FoundVm['vmm'], readonly (readonly [option: RegExp, part?: RegExp])[]>> = {
  qemu: [
    [/^--?uuid$/],
    [/^--?smbios$/, /^uuid=/],
    [/^--?name$/],
    [/^--?pidfile$/],
    [/^--?qmp$/],
    [/^--?drive$/, /^file=/],
    [/^--?[hc]d[a-rom]*$/],
  ],
  'cloud-hypervisor': [[/^--platform$/, /^uuid=/], [/^--api-socket$/], [/^--disk$/, /^path=/]],
  firecracker: [[/^--id$/], [/^--api-sock$/], [/^--config-file$/]],
};

/** By what a process is known again, from its command line. */
export function marksOf(vmm: FoundVm['vmm'], argv: readonly string[]): Mark[] {
  const given = argv.flatMap((arg, i): Mark[] => {
    const attached = /^(--?[A-Za-z][\w-]*)=(.+)$/s.exec(arg);
    if (attached) return [{ option: attached[1] ?? '', value: attached[2] ?? '' }];
    const next = argv[i + 1];
    return /^--?[A-Za-z]/.test(arg) && next !== undefined ? [{ option: arg, value: next }] : [];
  });
  return OPTIONS[vmm].flatMap(([name, part = /./s]) =>
    given
      .filter(({ option }) => name.test(option))
      .flatMap(({ option, value }) => {
        const found = value.split(',').find((one) => part.test(one));
        return found === undefined || /[\0\n]/.test(found) ? [] : [{ option, value: found }];
      }),
  );
}
