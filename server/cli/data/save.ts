/** `snapshot save`: the store of a running member, ours or etcd's, into a file that appears only when it is whole. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { equalBytes } from "../../base/bytes.ts";
import { Sha256 } from "../../base/digest.ts";
import { WorldError } from "../../base/error.ts";
import { type Client, connect, type ResponseStream } from "../../client/client.ts";
import type { SnapshotResponse } from "../../proto/etcdserverpb.ts";
import { SERVICES } from "../../proto/services.ts";
import { syncFolder } from "../../storage/data-dir.ts";

export interface SaveOptions {
  readonly path: string;
  readonly endpoint: string;
  /** Paths of PEM files; "": none. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly user: string;
  readonly password: string;
}

/** Answers the storage version that the member named. */
export async function save(options: SaveOptions): Promise<string> {
  const { path, endpoint, caFile, certFile, keyFile } = options;
  const pem = (file: string) => (file === "" ? undefined : readFileSync(file, "utf8"));
  const client = connect(endpoint, { tls: { ca: pem(caFile), cert: pem(certFile), key: pem(keyFile) } });
  const partial = `${path}.part`;
  try {
    const token = await authenticate(client, options);
    const headers = token === undefined ? {} : { token };
    const stream = client.serverStream(SERVICES.maintenance.methods.snapshot, {}, { headers });
    const version = await receive(stream, endpoint, partial);
    renameSync(partial, path);
    syncFolder(dirname(resolve(path)));
    return version;
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    client.close();
  }
}

async function authenticate(client: Client, { user, password }: SaveOptions): Promise<string | undefined> {
  if (user === "") return undefined;
  return (await client.unary(SERVICES.auth.methods.authenticate, { name: user, password })).token;
}

/** The last message is the digest of all before it. */
async function receive(stream: ResponseStream<SnapshotResponse>, endpoint: string, path: string): Promise<string> {
  const descriptor = openSync(path, "w", 0o600);
  try {
    const digest = new Sha256();
    let last: SnapshotResponse | undefined;
    for (let message = await stream.next(); message !== undefined; message = await stream.next()) {
      if (last !== undefined) digest.add(last.blob);
      writeAll(descriptor, message.blob);
      last = message;
    }
    const status = await stream.status;
    if (status.code !== 0) throw new WorldError(`save a snapshot of "${endpoint}"`, status.text);
    if (last === undefined || !equalBytes(last.blob, digest.result())) {
      throw new WorldError(`save a snapshot of "${endpoint}"`, "what came does not match its SHA-256: try again");
    }
    fsyncSync(descriptor);
    return last.version;
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}
