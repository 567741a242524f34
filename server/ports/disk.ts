/**
 * Files. What a crash may lose: everything written and not synced since, in any mixture of sectors; a created, renamed
 * or removed name until its folder was synced. Failures throw `WorldError`; after a failed write or sync nothing about
 * that file may be trusted, and the process stops.
 */
export interface Disk {
  /** Opens for reading and writing. `create`: the file must not exist yet; else it must. */
  open(path: string, options?: { readonly create?: boolean }): DiskFile;
  exists(path: string): boolean;
  /** Names in a folder, sorted; empty when there is no such folder. */
  list(folder: string): string[];
  /** Creates a folder and those above it, readable by this user alone. */
  makeFolder(folder: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes created, renamed and removed names in the folder durable. */
  syncFolder(folder: string): void;
}

export interface DiskFile {
  readonly path: string;
  sizeBytes(): number;
  /** Up to `length` bytes at `position`; fewer only at the end of the file. */
  read(position: number, length: number): Uint8Array;
  /** Writes all of `bytes` at `position`. Not durable before a sync. */
  write(position: number, bytes: Uint8Array): void;
  /** Makes data durable, holding the caller until it is. */
  syncNow(): void;
  /** Makes data durable without holding the loop. One at a time. */
  sync(): Promise<void>;
  truncate(sizeBytes: number): void;
  close(): void;
}
