import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_POLICY_CONFIG,
  DEFAULT_RECOVERY,
  explain,
  holdsOf,
  RULES,
  serialize,
  summarize,
} from '../../../src/policy/index.js';
import { Stage, WEB } from './stage.js';

const DOWN = { liveness: 'connection-refused', agent: 'ok', api: 'ok', process: 'ok' } as const;

describe('explain', () => {
  it('says what was seen, what it means, what was done and what comes next', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    s.answer(DOWN);
    s.advance(1_500);
    s.fail();
    const { sentences, next, episode, probes } = s.explain();
    const text = sentences.join('\n');
    expect(text).toContain('test/web is unhealthy since 2030-01-01T00:00:01.500Z');
    expect(text).toContain(
      'Probe liveness (liveness) failed at 2030-01-01T00:00:00.000Z: connection-refused.',
    );
    expect(text).toContain('Diagnosis at 2030-01-01T00:00:00.000Z: service (service-unreachable).');
    expect(text).toContain(
      'Seen at 2029-12-31T23:59:58.000Z by liveness: failed 3 times in a row: connection-refused.',
    );
    expect(text).toContain('by fresh look: the agent answers, liveness does not.');
    expect(text).toContain('restart-service, failed after 1.5 s (it did not work) [ERR_VMPULSE_TIMEOUT].');
    expect(text).toContain('Rule back-off:');
    expect(text).toMatch(
      /Next: reboot, which boots the guest anew, at 2030-01-01T00:00:1\d\.\d{3}Z \(in 1\d(\.\d)? s\)/,
    );
    expect(text).toContain('1 of 3 recoveries in a row and 1 of 10 in 24 hours are used.');
    expect(next?.step).toBe('reboot');
    expect(episode?.attempts).toHaveLength(1);
    expect(probes.find((p) => p.name === 'liveness')).toMatchObject({ state: 'failed', kind: 'httpGet' });
  });

  it('says of a healthy VM little, and what was last', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.boot();
    s.allOk();
    s.advance(60_000);
    const { sentences, holds, next, episode } = s.explain();
    expect([holds, next, episode]).toEqual([[], null, null]);
    expect(sentences).toEqual([
      'test/web is healthy since 2030-01-01T00:00:00.000Z (60 s).',
      'Last episode: vmm-dead (process-gone) at 2030-01-01T00:00:00.000Z, start; recovered at 2030-01-01T00:01:00.000Z.',
      '0 of 3 recoveries in a row and 1 of 10 in 24 hours are used.',
    ]);
  });

  it('says by which rule it holds, what would change that, and that a failed liveness probe holds', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    s.probe('liveness', 'failed', 'connection-refused');
    s.answer(DOWN);
    const text = s.explain().sentences.join('\n');
    expect(text).toContain('Rule observe-only: recovery is not enabled for this VM.');
    expect(text).toContain('`vmpulse config set --vm test/web recovery.enabled true`');
    expect(text).toContain('Would be next: restart-service, if recovery were enabled.');
    s.probe('liveness', 'ok');
    const later = s.explain().sentences.join('\n');
    expect(later).toContain(
      'answers again since 2030-01-01T00:00:00.000Z, but a failed liveness probe holds.',
    );
    expect(later).toContain('The next fresh look at all its probes comes at 2030-01-01T00:00:01.000Z.');
  });

  it('says how the diagnosis has changed since', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    s.boot();
    s.vmm({ type: 'exited' });
    expect(s.explain().sentences.join('\n')).toContain('By now it is vmm-dead (process-gone)');
  });

  it('says why a fresh look settled nothing', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'response-timeout');
    s.answer({ ...DOWN, liveness: 'prober-late' });
    expect(s.explain().sentences.join('\n')).toContain(
      'A fresh look settled nothing (rule observer): no answer to a fresh look from liveness.',
    );
  });

  it('changes nothing', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.boot();
    s.vmm({ type: 'exited' });
    const before = serialize(s.state);
    explain(s.state, WEB, s.now + 10 * 86_400_000);
    summarize(s.state, WEB);
    expect(serialize(s.state)).toEqual(before);
  });

  it('keeps guest text bounded', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'shutdown', guest: true, reason: 'x'.repeat(100_000) });
    s.vmm({ type: 'exited' });
    s.fail();
    s.vmm({ type: 'io-error', device: 'y'.repeat(100_000), noSpace: false });
    expect(Math.max(...s.explain().sentences.map((t) => t.length))).toBeLessThan(1_000);
    expect([...serialize(s.state).values()].join().length).toBeLessThan(20_000);
  });

  it('knows no VM that is not watched', () => {
    expect(() => explain(new Stage().state, 'test/ghost', 0)).toThrow(/no VM test\/ghost is watched/);
  });
});

describe('summaries', () => {
  it('have nothing to note of a healthy VM', () => {
    const s = new Stage().healthy();
    expect(summarize(s.state, WEB)).toMatchObject({ health: 'healthy', ready: true, note: '' });
  });

  it('note the diagnosis with what is in flight or holds', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    expect(summarize(s.state, WEB).note).toBe('vmm-dead (process-gone) · start in flight');
    s.fail();
    expect(summarize(s.state, WEB).note).toMatch(/^vmm-dead \(process-gone\) · back-off: /);
  });

  it('list the holds of persons', () => {
    const s = new Stage().healthy();
    s.send({ type: 'hold', vm: WEB, reason: 'drill', author: 'ada', untilMs: s.now + 1_000 });
    s.send({ type: 'hold', vm: null, reason: 'move', author: 'bob', untilMs: null });
    expect(holdsOf(s.state)).toEqual([
      { vm: null, reason: 'move', author: 'bob', untilMs: null },
      { vm: WEB, reason: 'drill', author: 'ada', untilMs: s.now + 1_000 },
    ]);
    s.advance(1_000);
    expect(holdsOf(s.state)).toHaveLength(1);
  });
});

describe('docs/reference/policy.md', () => {
  const page = readFileSync(new URL('../../../docs/reference/policy.md', import.meta.url), 'utf8');

  it.each(Object.keys(RULES))('explains the rule %s', (rule) => {
    expect(page, `add a row for \`${rule}\` to the table of rules`).toContain(`| \`${rule}\` |`);
  });

  it.each(
    Object.entries({ ...flat(DEFAULT_RECOVERY), ...flat(DEFAULT_POLICY_CONFIG) }),
  )('gives the default of %s', (name, value) => expect(page).toContain(`| \`${name}\` | \`${value}\` |`));

  it('explains no rule that does not exist', () => {
    const section = page.slice(page.indexOf('## Rules'));
    const named = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '');
    expect(named.filter((rule) => !Object.hasOwn(RULES, rule))).toEqual([]);
    expect(named.length).toBe(Object.keys(RULES).length);
  });
});

function flat(options: object, prefix = ''): Record<string, unknown> {
  const entries = Object.entries(options).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null
      ? Object.entries(flat(value, `${key}.`))
      : [[`${prefix}${key}`, value] as const],
  );
  return Object.fromEntries(entries);
}
