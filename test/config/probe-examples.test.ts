import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { DEFAULT_PROBES } from '../../src/config/probe-schema.js';
import { compileOne } from './compile.js';

const page = readFileSync(new URL('../../docs/reference/probes.md', import.meta.url), 'utf8');

/** The examples of a page, each with the heading that it stands under. */
const examples = page.split(/^## /m).flatMap((section) => {
  const heading = section.split('\n', 1)[0] ?? '';
  return [...section.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => [heading, match[1] ?? ''] as const);
});

describe('examples of docs/reference/probes.md', () => {
  it('are there', () => {
    expect(examples.length).toBeGreaterThan(0);
  });

  it.each(examples)('%s: is a list of probes of a host document', (heading, text) => {
    const manifest = `{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: web-1}, spec: {running: true, template: {spec: {}}}}`;
    const host = stringify({
      apiVersion: 'vmpulse.dev/v1',
      kind: 'VirtualMachineHost',
      metadata: { name: 'web-1' },
      spec: { address: '192.0.2.10', hypervisor: { qemu: { memory: '1Gi' } }, probes: parse(text) },
    });
    const own = new Set(DEFAULT_PROBES.map(({ name }) => name));
    const probes = compileOne(manifest, host).probes.filter(({ name }) => !own.has(name));
    expect(probes.length).toBeGreaterThan(0);
    expect(heading).toContain(probes[0]?.check.kind);
  });
});
