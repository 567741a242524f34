/**
 * One process a data directory. Node offers no lock on files, so the lock is a listening socket: the kernel takes it away
 * with the process however that ends, so kill -9 leaves no stale lock; and whoever is refused can ask it who holds it.
 *
 * Two sockets, as each covers what the other does not:
 *   - An abstract one (Linux), named after the folder's device and inode. Taking it is one step, so of two processes that
 *     start at once exactly one gets it, by whatever path they name the folder. But a network namespace has its own.
 *   - One in the folder, `kvorum.lock`, which every process of this machine meets, containers that share the volume too.
 *     Its name outlives a killed process; then nobody answers it and it is replaced. Two processes in different network
 *     namespaces could replace it at the same moment; each looks a moment later whether its own is still there.
 *
 * A pid in a file could do neither: in a container pids are numbered anew, and an old number is soon somebody else's.
 * Where the file system takes no socket the abstract one stands alone; where there is neither, a file with the pid.
 * Another user of the machine could take the abstract name first and so keep us from starting; it could as well take our
 * ports. (Machines that share a folder over a network are not kept apart by this; etcd's data must not lie there either.)
 */
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { WorldError } from "../base/error.ts";

const LOCK_NAME = "kvorum.lock";
const PID_NAME = "kvorum.pid";
/** How long a replaced lock must have stayed in place. */
const SETTLE_MS = 100;
/** How long the holder may take to say who it is; not waited for when nobody listens. */
const ASK_MS = 500;

export interface FolderLock {
  /** Gives the folder free. */
  release(): void;
}

/** Takes the existing `folder` for this process; throws `WorldError` when another process (or this one) has it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const parts: FolderLock[] = [];
  try {
    const abstract = await lockAbstract(folder);
    if (abstract !== undefined) parts.push(abstract);
    const inFolder = await lockInFolder(folder);
    if (inFolder !== undefined) parts.push(inFolder);
    if (parts.length === 0) parts.push(lockByPid(folder));
  } catch (error) {
    for (const part of parts) part.release();
    throw error instanceof WorldError ? error : new WorldError(`lock the data directory "${folder}"`, error);
  }
  return { release: () => parts.splice(0).forEach((part) => void part.release()) };
}

async function lockAbstract(folder: string): Promise<FolderLock | undefined> {
  if (process.platform !== "linux") return undefined;
  const { dev, ino } = statSync(folder, { bigint: true });
  const name = `\0kvorum-${dev}-${ino}`;
  const server = await listen(name);
  if (server === "unsupported") return undefined;
  if (server === "taken") throw inUse(folder, await askHolder(name));
  return { release: () => server.close() };
}

async function lockInFolder(folder: string): Promise<FolderLock | undefined> {
  const place = new LockPlace(folder);
  try {
    if (await place.take()) return { release: () => place.release() };
    place.close();
    return undefined;
  } catch (error) {
    place.close();
    throw error;
  }
}

/** The name of the lock in a folder, and the socket bound to it. */
class LockPlace {
  readonly #folder: string;
  readonly #path: string;
  /** A socket's path may have 107 bytes; through the open folder it is short whatever the folder is called. */
  readonly #shortPath: string;
  readonly #handle: number | undefined;
  #server: Server | undefined;
  #inode: bigint | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = `${folder}/${LOCK_NAME}`;
    this.#handle = process.platform === "linux" ? openSync(folder, constants.O_RDONLY) : undefined;
    this.#shortPath = this.#handle === undefined ? this.#path : `/proc/self/fd/${this.#handle}/${LOCK_NAME}`;
  }

  /** False where the file system takes no socket. */
  async take(): Promise<boolean> {
    const first = await this.#bind();
    if (first !== "taken") return first === "bound";
    const holder = await askHolder(this.#shortPath);
    if (holder !== undefined) throw inUse(this.#folder, holder);
    unlinkSync(this.#path); // its process was killed
    const second = await this.#bind();
    // Another process may have found the same stale name; the one whose socket stays in place has the folder.
    if (second === "bound") await pause(SETTLE_MS);
    if (second === "taken" || (second === "bound" && inodeOf(this.#path) !== this.#inode))
      throw inUse(this.#folder, await askHolder(this.#shortPath));
    return second === "bound";
  }

  /** First the name, then the socket: whoever finds the name finds somebody listening. */
  release(): void {
    if (this.#inode !== undefined && inodeOf(this.#path) === this.#inode) unlinkSync(this.#path);
    this.close();
  }

  /**
   * Closing a socket also removes the name that it was bound to, which may be another's by now: without the folder's
   * handle that name leads nowhere.
   */
  close(): void {
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#server?.close();
  }

  async #bind(): Promise<"bound" | "taken" | "unsupported"> {
    const server = await listen(this.#shortPath);
    if (typeof server === "string") return server;
    this.#server = server;
    this.#inode = inodeOf(this.#path);
    return "bound";
  }
}

/** Listens at `name`, telling everybody who connects who we are. */
function listen(name: string): Promise<Server | "taken" | "unsupported"> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.end(`process ${process.pid}`, () => socket.destroy());
    });
    server.unref();
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "EADDRINUSE" ? "taken" : "unsupported");
    });
    server.listen(name, () => resolve(server));
  });
}

/** What the process that listens at `name` says of itself; undefined when none listens. */
function askHolder(name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(name);
    // Stopped or busy, but alive: the kernel has taken the connection.
    const silence = setTimeout(() => finish("another process"), ASK_MS);
    const finish = (holder: string | undefined) => {
      clearTimeout(silence);
      socket.destroy();
      resolve(holder);
    };
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      answer = (answer + text).slice(0, 100);
    });
    socket.on("end", () => finish(answer === "" ? "another process" : answer));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      finish(error.code === "ECONNREFUSED" || error.code === "ENOENT" ? undefined : "another process");
    });
  });
}

/** Without sockets: a file with our pid, stale when no process has that number. */
function lockByPid(folder: string): FolderLock {
  const path = `${folder}/${PID_NAME}`;
  for (;;) {
    try {
      writeFileSync(path, `${process.pid}\n`, { flag: "wx", mode: 0o600 });
      return { release: () => unlinkSync(path) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw new WorldError(`create "${path}"`, error);
    }
    const pid = Number.parseInt(readFileSync(path, "latin1"), 10);
    if (isAlive(pid)) throw inUse(folder, `process ${pid}`);
    unlinkSync(path);
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function inUse(folder: string, holder: string | undefined): WorldError {
  return new WorldError(
    `use the data directory "${realpathSync(folder)}"`,
    `${holder ?? "another process"} is using it: stop that one first, or give this one a --data-dir of its own`,
  );
}
