import { describe, expect, it } from 'vitest';
import {
  effectiveRules,
  GroupStore,
  type NewRule,
  newRuleSchema,
  RuleKeeper,
} from '../../../src/network/index.js';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import { FakeFilter, FakeLinks, vmWith } from './fakes.js';

const SOON = { deadlineMs: 1_000 };
const HEALTH: NewRule = { sourceCidr: '10.0.0.0/8', port: 8080, protocol: 'tcp', comment: 'Health checks' };

async function keep(journal = new MemoryJournal(), vms = [vmWith()]) {
  const filter = new FakeFilter();
  const store = new GroupStore(journal, 1_000);
  await store.load();
  const links = new FakeLinks().tap('tap0', { master: 'vmbr0' });
  const rules = new RuleKeeper({ store, filter, links, networks: () => [], vms: () => vms, now: () => 7 });
  return { rules, filter, store, journal };
}

const guard = (script: string | undefined) =>
  /table bridge vmpulse \{[\s\S]*chain to-tap0 \{\n([^}]*(?:\{[^}]*\}[^}]*)*)\n {2}\}/.exec(
    script ?? '',
  )?.[1] ?? '';

describe('rules', () => {
  it('let through, and never drop by themselves', async () => {
    const { rules, filter, store } = await keep();
    await rules.addRule('default', HEALTH, 'ann@0', SOON);
    expect(effectiveRules('default/web-1', store.groups).policy).toBe('accept');
    expect(filter.applied.join('')).not.toContain(' drop');
    expect(guard(filter.applied.at(-1))).toContain(
      'ip saddr 10.0.0.0/8 tcp dport 8080 counter accept comment "Health checks"',
    );
  });

  it('drop only where a policy says so, that of the VM before that of all', async () => {
    const { rules, filter, store } = await keep();
    await rules.setPolicy('default', 'drop', SOON);
    expect(filter.applied.at(-1)).toContain('counter drop comment "default/web-1: nothing lets it through"');
    await rules.setPolicy('default/web-1', 'accept', SOON);
    expect(effectiveRules('default/web-1', store.groups).policy).toBe('accept');
    expect(filter.applied.at(-1)).not.toContain(' drop');
  });

  it('let the host itself through before anything else', async () => {
    const { rules, filter } = await keep();
    await rules.setPolicy('default', 'drop', SOON);
    const script = filter.applied.at(-1) ?? '';
    const output = /table bridge vmpulse \{\n {2}chain output \{\n([\s\S]*?)\n {2}\}/
      .exec(script)?.[1]
      ?.split('\n');
    expect(output?.[1]).toMatch(/^ {4}meta mark & 0x00800000 == 0x00800000 .*accept$/);
    expect(output?.[2]).toBe('    oifname "tap0" jump to-tap0');
    expect(script).toContain('oifname { "vmbr0" } meta mark set meta mark | 0x00800000');
  });

  it.each<[NewRule, string]>([
    [{ protocol: 'icmp' }, 'meta l4proto { icmp, ipv6-icmp } counter accept'],
    [{ protocol: 'udp' }, 'meta l4proto udp counter accept'],
    [{ port: 53, toPort: 60, protocol: 'udp' }, 'udp dport 53-60 counter accept'],
    [{ port: 22 }, 'tcp dport 22 counter accept'],
    [{ sourceCidr: '2001:db8::/32' }, 'ip6 saddr 2001:db8::/32 counter accept'],
    [{ sourceCidr: '192.0.2.1' }, 'ip saddr 192.0.2.1 counter accept'],
  ])('render %j', async (rule, expected) => {
    const { rules, filter } = await keep();
    await rules.addRule('default', rule, 'ann@0', SOON);
    expect(guard(filter.applied.at(-1))).toContain(`    ${expected}`);
  });

  it('let answers through, with what the kernel remembers or without', async () => {
    for (const tracks of [true, false]) {
      const { rules, filter } = await keep();
      filter.tracks = tracks;
      await rules.setPolicy('default', 'drop', SOON);
      const lines = guard(filter.applied.at(-1));
      expect(lines.includes('ct state established,related accept')).toBe(tracks);
      expect(lines.includes('tcp flags & (syn | ack) != syn accept')).toBe(!tracks);
    }
  });

  it('never let a comment out of its quotes', async () => {
    const { rules, filter } = await keep();
    const comment = '" accept\n}\ntable inet filter { # \u202e$x';
    await rules.addRule('default', newRuleSchema.parse({ port: 1, comment }), 'ann@0', SOON);
    const line = filter.applied
      .at(-1)
      ?.split('\n')
      .find((text) => text.includes('tcp dport 1 '));
    expect(line).toMatch(/^ {4}tcp dport 1 counter accept comment "[A-Za-z0-9 _.,:;/()+@#=-]+"$/);
  });

  it('survive a restart, with who added them, and are the same once', async () => {
    const { rules, journal } = await keep();
    const added = await rules.addRule('default/web-1', HEALTH, 'ann@0', SOON);
    expect(await rules.addRule('default/web-1', HEALTH, 'bob@1', SOON)).toEqual(added);
    const { rules: again, filter, store } = await keep(journal);
    expect(store.group('default/web-1').rules).toEqual([
      { id: 'r1', ...HEALTH, toPort: null, author: 'ann@0', addedAtMs: 7 },
    ]);
    await again.apply(SOON);
    expect(filter.applied.at(-1)).toContain('tcp dport 8080');
    await again.removeRule('default/web-1', 'r1', SOON);
    expect(filter.applied.at(-1)).toBe(
      'table inet vmpulse\ndelete table inet vmpulse\ntable bridge vmpulse\ndelete table bridge vmpulse\n',
    );
  });

  it('are as they were where they cannot be applied', async () => {
    const { rules, filter, store } = await keep();
    await rules.addRule('default', HEALTH, 'ann@0', SOON);
    filter.refuses = true;
    await expect(rules.setPolicy('default', 'drop', SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_NETWORK',
    });
    await expect(rules.removeRule('default', 'r1', SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_NETWORK',
    });
    expect(store.group('default')).toMatchObject({ policy: null, rules: [{ id: 'r1' }] });
    await expect(rules.removeRule('default', 'r9', SOON)).rejects.toThrow('has no rule r9; its rules: r1');
  });

  it('are not touched where nothing was ever wanted', async () => {
    const { rules, filter } = await keep();
    await rules.apply(SOON);
    expect(filter.applied).toEqual([]);
    expect(await rules.isIntact(SOON)).toBe(true);
  });

  it('are not overwritten while what was stored cannot be read', async () => {
    const journal = new MemoryJournal();
    await journal.saveState(new Map([['security-group/default', '{"policy":"maybe"}']]), SOON);
    const store = new GroupStore(journal, 1_000);
    await expect(store.load()).rejects.toMatchObject({ code: 'ERR_VMPULSE_JOURNAL' });
    await expect(store.set('default', { policy: 'drop', rules: [] })).rejects.toThrow('could not be read');
  });

  it('are seen to have been changed by others', async () => {
    const { rules, filter } = await keep();
    await rules.setPolicy('default', 'drop', SOON);
    expect(await rules.isIntact(SOON)).toBe(true);
    filter.table = undefined;
    expect(await rules.isIntact(SOON)).toBe(false);
  });
});

describe('what is asked for', () => {
  it.each([
    [{ sourceCidr: '10.0.0.0/33' }, 'must be an address or a network such as 10.0.0.0/8'],
    [{ sourceCidr: '10.0.0.0/8; drop' }, 'must be an address or a network such as 10.0.0.0/8'],
    [{ sourceCidr: 'fe80::1%eth0' }, 'must be an address or a network such as 10.0.0.0/8'],
    [{ port: 0 }, 'must be a port from 1 to 65535'],
    [{ port: 22, protocol: 'icmp' }, 'is of tcp and udp, not of icmp'],
    [{ port: 22, toPort: 21 }, 'must not be below port'],
    [{ toPort: 21 }, 'must not be below port'],
    [{ comment: 'x'.repeat(101) }, 'must be at most 100 characters'],
  ])('is refused: %j', (rule, message) => {
    const result = newRuleSchema.safeParse(rule);
    expect(result.error?.issues.map((issue) => issue.message)).toEqual([message]);
  });
});
