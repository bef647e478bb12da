/** A server may say other things before; more than this it does not. */
const MAX_BYTES = 8 * 1024;
const IDENTIFICATION = /(?:^|\n)SSH-(?:2\.0|1\.99)-([^\r\n]*)\r?\n/;
const OTHER = /(?:^|\n)SSH-[^\n]*\n/;

/** Reads the line with which an SSH server says what it is (RFC 4253, 4.2). */
export class Banner {
  state: 'waiting' | 'ssh' | 'foreign' = 'waiting';
  software = '';
  /** What was said so far. */
  said = '';

  take(bytes: Buffer): void {
    if (this.state !== 'waiting') return;
    this.said += bytes.subarray(0, MAX_BYTES - this.said.length).toString('latin1');
    const [line, software = ''] = IDENTIFICATION.exec(this.said) ?? [];
    if (line !== undefined) {
      this.software = software;
      this.state = 'ssh';
    } else if (OTHER.test(this.said) || this.said.length >= MAX_BYTES) this.state = 'foreign';
  }
}
