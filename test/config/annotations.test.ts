import { describe, expect, it } from 'vitest';
import { compile, compileOne, pair, problemsOf } from './compile.js';

const PREFIXES = ['vmpulse.dev/', 'platform.kubevirt.io/'];

/** A VM with annotations, written as a flow mapping. */
const annotated = (annotations: string) =>
  pair().replace('metadata: {name: web-1}', `metadata: {name: web-1, annotations: {${annotations}}}`);

describe('annotations of a manifest', () => {
  it.each(PREFIXES)('%s: say that a VM is unmanaged or paused, and why', (prefix) => {
    const mode = (text: string) => compileOne(annotated(text)).mode;
    expect(mode(`${prefix}mode: unmanaged`)).toEqual({
      kind: 'unmanaged',
      reason: `${prefix}mode: unmanaged`,
    });
    expect(mode(`${prefix}mode: managed`)).toBeUndefined();
    expect(mode(`${prefix}reconcile-paused: 'disk is moved'`)).toEqual({
      kind: 'paused',
      reason: `${prefix}reconcile-paused: disk is moved`,
    });
    expect(mode(`${prefix}reconcile-paused: 'true'`)?.reason).toBe(`${prefix}reconcile-paused`);
    expect(mode(`${prefix}reconcile-paused: 'false'`)).toBeUndefined();
    expect(mode(`${prefix}mode: unmanaged, ${prefix}reconcile-paused: 'true'`)?.kind).toBe('paused');
  });

  it('may say the same under both prefixes, and not something else', () => {
    const both = (other: string) =>
      annotated(`vmpulse.dev/mode: unmanaged, platform.kubevirt.io/mode: ${other}`);
    expect(compileOne(both('unmanaged')).mode?.kind).toBe('unmanaged');
    expect(problemsOf(() => compile(both('managed')))).toMatch(
      /^1\.yaml:1:\d+ metadata\.annotations\["platform\.kubevirt\.io\/mode"\]: says something else than vmpulse\.dev\/mode at 1\.yaml:1:\d+; keep one/,
    );
  });

  it('are reported where vmpulse does not know its own, and left alone elsewhere', () => {
    const { vms, warnings } = compile(annotated('vmpulse.dev/mod: x, platform.kubevirt.io/x: y, other: z'));
    expect(vms[0]?.mode).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/did you mean "vmpulse\.dev\/mode"\?/)]);
  });
});
