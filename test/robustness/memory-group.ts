/** A control group that bounds the memory of the processes in it, page cache included, as a container's does. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const V1 = "/sys/fs/cgroup/memory";
const V2 = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

export class MemoryGroup {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Why none can be made here. */
  static make(limitBytes: number): MemoryGroup | string {
    const name = `kvorum-test-${process.pid}`;
    const unified = V2.find((root) => read(join(root, "cgroup.controllers")).split(/\s/).includes("memory"));
    try {
      if (existsSync(join(V1, "memory.limit_in_bytes"))) {
        const group = new MemoryGroup(join(V1, name));
        mkdirSync(group.#folder);
        writeFileSync(join(group.#folder, "memory.limit_in_bytes"), `${limitBytes}`);
        return group;
      }
      if (unified !== undefined) {
        writeFileSync(join(unified, "cgroup.subtree_control"), "+memory");
        const group = new MemoryGroup(join(unified, name));
        mkdirSync(group.#folder);
        writeFileSync(join(group.#folder, "memory.max"), `${limitBytes}`);
        return group;
      }
      return "no control group for memory is mounted";
    } catch (error) {
      return `no control group can be made: ${String(error)}`;
    }
  }

  /** `command` as a process of the group. */
  within(command: readonly string[]): string[] {
    return ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', this.#folder, ...command];
  }

  /** The most that its processes ever had. */
  get peakBytes(): number {
    return Number(read(join(this.#folder, "memory.max_usage_in_bytes")) || read(join(this.#folder, "memory.peak")));
  }

  /** When all its processes have ended. */
  remove(): void {
    rmdirSync(this.#folder);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return "";
  }
}
