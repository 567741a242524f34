/** Measures the way to a member and back, and how far its clock is off. Finding nobody is for the debug log alone. */
import { memberIdText } from "../base/int64.ts";
import { readAnswer } from "./dial.ts";
import { textOf } from "./message-codec.ts";
import type { Remote, Surroundings } from "./surroundings.ts";

export const PROBING_PATH = "/raft/probing";
const ANSWER_MAX_BYTES = 4096;
/** Clocks further apart are worth a warning, as in etcd: certificates and people go by them. */
export const DRIFT_MAX_MS = 1000;

/** The answer to a probe. */
export function probeAnswer(wallMs: number): string {
  return `${JSON.stringify({ OK: true, Now: new Date(wallMs).toISOString() })}\n`;
}

/** How far the member's clock is ahead, in milliseconds; undefined when it could not be reached. Never rejects. */
export async function probe(world: Surroundings, remote: Remote): Promise<number | undefined> {
  const { clock, timing, dialer, logger } = world;
  try {
    const start = clock.monotonicMs();
    const request = dialer.open(remote.urls.pick(), PROBING_PATH, {
      method: "GET",
      headers: {},
      idleMs: timing.readMs,
      dialMs: timing.dialMs,
      isShared: true,
    });
    request.end();
    const answer = await readAnswer(request, ANSWER_MAX_BYTES);
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    const roundTripMs = clock.monotonicMs() - start;
    remote.series.roundTripSeconds.observe(roundTripMs / 1000);
    return driftMs(answer.body.toString(), clock.wallMs() - roundTripMs / 2);
  } catch (error) {
    const fields = { "remote-peer-id": memberIdText(remote.id), error: textOf(error) };
    logger.debug("prober detected unhealthy status", fields);
    return undefined;
  }
}

/** How far the clock of the one who answered is ahead; 0 when the answer does not say. */
function driftMs(body: string, nowMs: number): number {
  // Go writes nanoseconds, which the format that `Date` is sure to read does not have.
  const time = /"Now":"([^"]+)"/.exec(body)?.[1]?.replace(/(\.\d{3})\d+/, "$1");
  const theirs = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(theirs) ? 0 : theirs - nowMs;
}
