/** Milliseconds of CLOCK_MONOTONIC: absolute, so that a probe keeps its phase when the process restarts. */
export function monoMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** Wall-clock milliseconds since 1970, for everything that is stored or shown. */
export function wallMs(): number {
  return Date.now();
}
