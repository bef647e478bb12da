import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf } from '../../src/config/canonical-json.js';
import { formatDuration, parseDuration } from '../../src/config/duration.js';
import { formatPath } from '../../src/config/problems.js';
import { formatQuantity, parseQuantity } from '../../src/config/quantity.js';
import { stableUuid } from '../../src/config/stable-uuid.js';
import { closest } from '../../src/config/suggest.js';

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['120s', 120_000],
    ['2m', 120_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['1d2h3m4s5ms', 93_784_005],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    '5',
    '5 s',
    '-5s',
    '5x',
    '5s3m',
    '1.5ms',
    '0.0001s',
    '5sms',
    's',
    '1e3s',
    '99999d',
    '٣s',
    '5S',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('come back from what was written', () => {
    fc.assert(
      fc.property(fc.nat({ max: 3650 * 86_400_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('quantities', () => {
  it.each([
    ['1Gi', 2 ** 30],
    ['512Mi', 2 ** 29],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['1G', 1e9],
    ['2k', 2000],
    ['1Ki', 1024],
    ['1024', 1024],
    [2048, 2048],
    ['0.1Ki', 103],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseQuantity(text)).toBe(bytes);
  });

  it.each([
    '',
    'Gi',
    '1GB',
    '1gi',
    '-1Gi',
    '1 Gi',
    '1KI',
    '1m',
    '1e3',
    'constructor',
    '9999999Pi',
    Number.NaN,
    -1,
    1.5e300,
  ])('refuses %s', (text) => {
    expect(parseQuantity(text)).toBeUndefined();
  });

  it('come back from what was written', () => {
    const comesBack = (bytes: number) => expect(parseQuantity(formatQuantity(bytes))).toBe(bytes);
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => void comesBack(bytes)));
    const powers = fc.constantFrom(20, 30, 40);
    fc.assert(
      fc.property(fc.nat({ max: 4096 }), powers, (count, power) => void comesBack(count * 2 ** power)),
    );
  });
});

describe('canonical JSON', () => {
  it('is the same whatever the order of keys, and without undefined members', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: undefined, '10': 1, '9': 2 })).toBe(
      '{"10":1,"9":2,"b":[1,{"c":"x","d":null}]}',
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        return digestOf(turned) === digestOf(value);
      }),
    );
    expect(JSON.parse(canonicalJson({ a: [1, 'é"', { b: false }] }))).toEqual({ a: [1, 'é"', { b: false }] });
  });
});

describe('stable UUIDs', () => {
  it('never change for the same name', () => {
    expect(stableUuid('default/web-1')).toBe('21e57547-a08f-5018-b0e4-9e1b9c15e95c');
    const seen = new Set(Array.from({ length: 1000 }, (_, index) => stableUuid(`default/vm-${index}`)));
    expect(seen.size).toBe(1000);
  });
});

describe('suggestions', () => {
  it.each([
    ['periodSecond', 'periodSeconds'],
    ['period_seconds', 'periodSeconds'],
    ['tcpsocket', 'tcpSocket'],
    ['timeuotMs', 'timeoutMs'],
    ['stateDirectory', 'stateDir'],
    ['https', 'HTTPS'],
  ])('%s → %s', (name, expected) => {
    expect(closest(name, ['stateDir', 'periodSeconds', 'timeoutMs', 'tcpSocket', 'HTTP', 'HTTPS'])).toBe(
      expected,
    );
  });

  it('makes none where nothing is near, or the name is absurd', () => {
    expect(closest('icmp', ['tcpSocket', 'httpGet'])).toBeUndefined();
    expect(closest('x'.repeat(100_000), ['tcpSocket'])).toBeUndefined();
  });
});

describe('paths', () => {
  it('quote keys that are no plain words', () => {
    expect(formatPath(['metadata', 'labels', 'kubevirt.io/vm'])).toBe('metadata.labels["kubevirt.io/vm"]');
    expect(formatPath(['spec', 'probes', 0, 'name'])).toBe('spec.probes[0].name');
    expect(formatPath(['a\u0007'])).toBe('["a\\u0007"]');
  });
});
