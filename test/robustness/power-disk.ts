/** A file system of its own on a loop device, whose power can be cut: what was not synced is gone. Needs root. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../support/project.ts";

const POWER_CUT = join(projectFolder, "test", "robustness", "power-cut.py");
const NEEDED = ["mkfs.ext4", "mount", "umount", "truncate", "python3"];

/** Why no such disk can be made here; undefined when it can. */
export function powerDiskMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "cutting the power of a file system needs root";
  for (const program of NEEDED) {
    try {
      execFileSync("which", [program], { stdio: "ignore" });
    } catch {
      return `${program} is not installed`;
    }
  }
  return undefined;
}

export class PowerDisk {
  readonly folder: string;
  readonly #home: string;
  #image: string;

  constructor(sizeMegabytes: number) {
    this.#home = mkdtempSync(join(tmpdir(), "kvorum-power-"));
    this.#image = join(this.#home, "image");
    this.folder = join(this.#home, "disk");
    execFileSync("truncate", ["-s", `${sizeMegabytes}M`, this.#image]);
    execFileSync("mkfs.ext4", ["-q", "-F", this.#image]);
    execFileSync("mkdir", [this.folder]);
    this.#mount();
  }

  /** From here on every access fails, and what was not synced will be gone. */
  cut(): void {
    execFileSync("python3", [POWER_CUT, this.folder]);
  }

  /** The power is back; nobody may have a file open there any more. */
  restore(): void {
    execFileSync("umount", [this.folder]);
    this.#mount();
    if (this.#works()) return;
    // A mount namespace made meanwhile (a container's) still holds the dead file system, and mount has found it again.
    execFileSync("umount", [this.folder]);
    const copy = `${this.#image}+`;
    execFileSync("cp", ["--sparse=always", this.#image, copy]);
    rmSync(this.#image);
    this.#image = copy;
    this.#mount();
  }

  remove(): void {
    execFileSync("umount", ["-l", this.folder]);
    rmSync(this.#home, { recursive: true, force: true });
  }

  #works(): boolean {
    const probe = join(this.folder, "probe");
    try {
      writeFileSync(probe, "", { flush: true });
      rmSync(probe);
      return true;
    } catch {
      return false;
    }
  }

  #mount(): void {
    execFileSync("mount", ["-o", "loop", this.#image, this.folder]);
  }
}
