/**
 * Real files, through the calls that hold the loop: what is written here is small and goes to the page cache, and a sync
 * that may take long has its own way beside the loop. Files are for this user alone (0600), folders too (0700).
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { WorldError } from "../base/error.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export class SystemDisk implements Disk {
  open(path: string, options?: { readonly create?: boolean }): DiskFile {
    const create = options?.create === true;
    return doing(`${create ? "create" : "open"} "${path}"`, () => {
      return new SystemFile(path, openSync(path, create ? "wx+" : "r+", FILE_MODE));
    });
  }

  exists(path: string): boolean {
    return existsSync(path);
  }

  list(folder: string): string[] {
    return doing(`list "${folder}"`, () => {
      try {
        return readdirSync(folder).sort();
      } catch (error) {
        if (codeOf(error) === "ENOENT") return [];
        throw error;
      }
    });
  }

  makeFolder(folder: string): void {
    doing(`create the folder "${folder}"`, () => mkdirSync(folder, { recursive: true, mode: FOLDER_MODE }));
  }

  rename(from: string, to: string): void {
    doing(`rename "${from}" to "${to}"`, () => renameSync(from, to));
  }

  remove(path: string): void {
    doing(`remove "${path}"`, () => unlinkSync(path));
  }

  syncFolder(folder: string): void {
    doing(`sync the folder "${folder}"`, () => {
      const handle = openSync(folder, "r");
      try {
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
    });
  }
}

class SystemFile implements DiskFile {
  readonly path: string;
  readonly #handle: number;

  constructor(path: string, handle: number) {
    this.path = path;
    this.#handle = handle;
  }

  sizeBytes(): number {
    return doing(`look at "${this.path}"`, () => fstatSync(this.#handle).size);
  }

  read(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const count = doing(`read "${this.path}" at byte ${position + filled}`, () =>
        readSync(this.#handle, bytes, filled, length - filled, position + filled),
      );
      if (count === 0) return bytes.subarray(0, filled);
      filled += count;
    }
    return bytes;
  }

  write(position: number, bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.length) {
      // A full disk may take a part and refuse the rest; the next round then says why.
      const count = doing(`write ${bytes.length} bytes to "${this.path}" at byte ${position}`, () => {
        const taken = writeSync(this.#handle, bytes, written, bytes.length - written, position + written);
        if (taken === 0) throw new Error("no byte was taken");
        return taken;
      });
      written += count;
    }
  }

  syncNow(): void {
    doing(`sync "${this.path}"`, () => fdatasyncSync(this.#handle));
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#handle, (error) => {
        if (error) reject(new WorldError(`sync "${this.path}"`, error));
        else resolve();
      });
    });
  }

  truncate(sizeBytes: number): void {
    doing(`cut "${this.path}" to ${sizeBytes} bytes`, () => ftruncateSync(this.#handle, sizeBytes));
  }

  close(): void {
    doing(`close "${this.path}"`, () => closeSync(this.#handle));
  }
}

/** Runs one call; what it throws becomes a `WorldError` that names the action. */
function doing<T>(action: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new WorldError(action, error);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
