/**
 * A folder that appears whole or not at all: it is filled under another name, `….partial` beside it, made durable and
 * renamed. What a killed run has left there is removed by the next one.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { WorldError } from "../../base/error.ts";
import { syncFolder } from "../../storage/data-dir.ts";
import { lockFolder } from "../../system/folder-lock.ts";

/**
 * Fills a new folder `target`, which may exist and be empty. When `fill` fails nothing is left. `alone`: the caller has
 * made sure that no other process does the same; the folder then is empty when `fill` gets it.
 */
export async function makeFolderWhole(
  target: string,
  fill: (partial: string) => Promise<void>,
  { alone = false } = {},
): Promise<void> {
  refuseUsed(target);
  const partial = `${resolve(target)}.partial`;
  makeFolder(partial);
  const lock = alone ? undefined : await lockFolder(partial);
  let done = false;
  try {
    for (const name of readdirSync(partial)) {
      if (!name.startsWith("kvorum.")) rmSync(`${partial}/${name}`, { recursive: true, force: true });
    }
    await fill(partial);
    done = true;
  } finally {
    lock?.release();
    if (!done) rmSync(partial, { recursive: true, force: true });
  }
  rename(partial, resolve(target));
}

/** Throws unless there is nothing at `target`, or an empty folder. */
export function refuseUsed(target: string): void {
  if (!existsSync(target)) return;
  let names: string[];
  try {
    names = readdirSync(target);
  } catch (error) {
    throw new WorldError(`use "${target}"`, error);
  }
  if (names.length === 0) return;
  throw new WorldError(
    `write to "${target}"`,
    `it is not empty (it holds "${names[0]}"): name a folder that does not exist yet`,
  );
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new WorldError(`create the folder "${path}"`, error);
  }
}

function rename(partial: string, target: string): void {
  try {
    syncFolder(partial);
    renameSync(partial, target);
    syncFolder(dirname(target));
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw new WorldError(
      `give "${partial}" the name "${target}" (a mount point cannot be replaced: name a folder in it)`,
      error,
    );
  }
}
