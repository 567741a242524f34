/** The bytes of real etcd in `test/golden/peer-protocol-*.json`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseJsonWithIds } from "../../server/base/json-ids.ts";
import type { PeerAnswer } from "./peer-requests.ts";
import { projectFolder } from "./project.ts";

export interface PeerRecording {
  readonly version: string;
  /** Heads, lines divided by CR LF. */
  readonly streamRequests: readonly string[];
  readonly streamAnswer: string;
  readonly pipelineRequest: string;
  /** Hex, as all that follow. */
  readonly pipelineBody: string;
  /** One frame by message type, and "link". */
  readonly messageStream: Readonly<Record<string, string>>;
  readonly appendStream: readonly string[];
  readonly snapshot: {
    readonly head: string;
    /** The message behind its length: gzip, base64. */
    readonly messageGzip: string;
    readonly fileBegins: string;
    readonly fileBytes: number;
  };
  readonly answers: Readonly<Record<string, PeerAnswer>>;
}

/** "3.7" or "3.6". */
export function peerRecording(version: string): PeerRecording {
  const path = join(projectFolder, "test", "golden", `peer-protocol-${version}.json`);
  return parseJsonWithIds(readFileSync(path, "utf8")) as PeerRecording;
}
