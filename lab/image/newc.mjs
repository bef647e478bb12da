/**
 * Writes archives in cpio's "newc" format, which Linux unpacks as its initramfs. Owner is root and times are
 * 0 whoever builds, so that equal inputs give equal images, and no cpio program is needed.
 */
export class NewcArchive {
  #chunks = [];
  #paths = new Set();
  #inode = 0;

  /** Adds a folder, and those above it. */
  folder(path) {
    if (path === '' || this.#paths.has(path)) return;
    this.#parents(path);
    this.#entry(path, 0o040755);
  }

  /** Adds a file; `mode` are its permission bits. */
  file(path, content, mode = 0o644) {
    this.#parents(path);
    this.#entry(path, 0o100000 | mode, Buffer.from(content));
  }

  /** Adds a symbolic link. */
  link(path, target) {
    this.#parents(path);
    this.#entry(path, 0o120777, Buffer.from(target));
  }

  /** Adds a character device. */
  characterDevice(path, major, minor) {
    this.#parents(path);
    this.#entry(path, 0o020600, Buffer.alloc(0), major, minor);
  }

  /** @returns {Buffer} the finished archive */
  finish() {
    this.#entry('TRAILER!!!', 0);
    return Buffer.concat(this.#chunks);
  }

  #parents(path) {
    const parts = path.split('/').slice(0, -1);
    parts.forEach((_, index) => {
      this.folder(parts.slice(0, index + 1).join('/'));
    });
  }

  #entry(path, mode, content = Buffer.alloc(0), major = 0, minor = 0) {
    if (this.#paths.has(path)) throw new Error(`${path} is twice in the archive`);
    this.#paths.add(path);
    const name = Buffer.from(`${path}\0`);
    this.#inode += 1;
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    const fields = [this.#inode, mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length, 0];
    const header = Buffer.from(
      `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`,
    );
    this.#chunks.push(padded(Buffer.concat([header, name])), padded(content));
  }
}

function padded(buffer) {
  const missing = (4 - (buffer.length % 4)) % 4;
  return missing === 0 ? buffer : Buffer.concat([buffer, Buffer.alloc(missing)]);
}
