import { readFile } from 'node:fs/promises';

const PARAMETERS = [
  '/sys/module/kvm_intel/parameters/enable_apicv',
  '/sys/module/kvm_amd/parameters/avic',
] as const;

/**
 * The processor delivers interrupts by itself (APICv, AVIC): KVM injects none into a healthy guest, and counting them says
 * nothing. Read once; the parameters are fixed while the module is loaded.
 */
let known: Promise<boolean> | undefined;

export function deliversDirectly(): Promise<boolean> {
  known ??= readAny(PARAMETERS);
  return known;
}

/** Exported for its test. */
export async function readAny(paths: readonly string[]): Promise<boolean> {
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
  return texts.some((text) => /^[Y1]/.test(text));
}
