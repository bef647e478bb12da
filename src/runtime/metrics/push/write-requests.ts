import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import snappy from 'snappyjs';
import type { MetricFamily, Sample } from '../exposition.js';

/** Series of one request: a third of a megabyte before it is compressed, so that no receiver refuses one for its size. */
const SERIES_A_REQUEST = 2_000;

/**
 * All samples as the bodies of Prometheus remote write, version 1 (protobuf in Snappy's block format). `labels` are added
 * to each, as a Prometheus that scrapes would add them; a sample's own label of that name goes before.
 */
export function writeRequests(
  families: readonly MetricFamily[],
  labels: Readonly<Record<string, string>>,
  atMs: number,
): Uint8Array[] {
  const samples = families.flatMap((family) => family.samples);
  const bodies: Uint8Array[] = [];
  for (let from = 0; from < samples.length; from += SERIES_A_REQUEST)
    bodies.push(snappy.compress(writeRequest(samples.slice(from, from + SERIES_A_REQUEST), labels, atMs)));
  return bodies;
}

// prometheus.WriteRequest: repeated TimeSeries timeseries = 1. TimeSeries: repeated Label labels = 1, repeated Sample
// samples = 2. Label: string name = 1, string value = 2. Sample: double value = 1, int64 timestamp = 2.
function writeRequest(
  samples: readonly Sample[],
  common: Readonly<Record<string, string>>,
  atMs: number,
): Uint8Array {
  const writer = new BinaryWriter();
  for (const { name, labels, value } of samples) {
    writer.tag(1, WireType.LengthDelimited).fork();
    for (const [label, text] of sorted({ ...common, ...labels, __name__: name })) {
      writer.tag(1, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(label).tag(2, WireType.LengthDelimited).string(text);
      writer.join();
    }
    writer.tag(2, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Bit64).double(value).tag(2, WireType.Varint).int64(Math.trunc(atMs));
    writer.join().join();
  }
  return writer.finish();
}

/** Receivers want labels in order; an empty one is none. */
function sorted(labels: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(labels)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
