/** Clients that hang a key on a lease, renew it for a while, and then revoke it or leave it to its end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../../server/client/client.ts";
import { SERVICES } from "../../../server/proto/services.ts";
import { endOf, put, range } from "./key-clients.ts";
import type { End } from "./recorder.ts";
import type { Session } from "./session.ts";

const { leaseGrant, leaseKeepAlive, leaseRevoke } = SERVICES.lease.methods;
export const LEASE_PREFIX = "leased/";
/** Of leases in seconds: the shortest that an election timeout allows comes out as asked for. */
const TTLS = [2, 3, 4] as const;
export const TTL_MAX_MS = 4000;
const RENEWALS_MAX = 6;
const PATIENCE_MS = 2000;

/** Lease after lease until the load is over; `first`: the clients' ids do not meet. */
export async function runLeaseClient(session: Session, first: bigint): Promise<void> {
  const { random, field } = session;
  for (let lease = first; !field.isOver; lease++) {
    const ttl = random.pick(TTLS);
    const granted = await session.ask(
      { kind: "grant", lease, ttlSeconds: ttl },
      leaseGrant,
      { id: lease, ttl },
      (answer) => ({
        kind: "grant",
        ttlSeconds: answer.ttl,
      }),
    );
    if (granted.kind !== "done") continue;
    const key = `${LEASE_PREFIX}${lease}`;
    await session.keys(put(key, `${lease}`, false, lease));
    const renewals = random.below(RENEWALS_MAX + 1);
    for (let at = 0; at < renewals && !field.isOver; at++) {
      await sleep((ttl * 1000) / 3);
      if (isGone(await renew(session, lease))) break;
      if (random.chance(0.3)) await session.keys(put(key, `${lease} ${at}`, false, lease));
      await session.keys(range(LEASE_PREFIX, { rangeEnd: endOf(LEASE_PREFIX) }));
    }
    if (random.chance(0.4))
      await session.ask({ kind: "revoke", lease }, leaseRevoke, { id: lease }, () => ({ kind: "revoke" }));
  }
  session.close();
}

function renew(session: Session, lease: bigint): Promise<End> {
  return session.record({ kind: "renew", lease }, async (client: Client) => {
    const stream = client.bidi(leaseKeepAlive, { timeoutMs: PATIENCE_MS });
    stream.send({ id: lease });
    const answer = await stream.next();
    stream.cancel();
    if (answer === undefined) return stream.status;
    return { kind: "done", revision: answer.header?.revision ?? 0, result: { kind: "renew", ttlSeconds: answer.ttl } };
  });
}

function isGone(end: End): boolean {
  return end.kind === "done" && end.result.kind === "renew" && end.result.ttlSeconds === 0;
}
