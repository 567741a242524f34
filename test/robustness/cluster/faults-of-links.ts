/** Partitions: which ways between members are cut, and how they come back. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterMember } from "../../support/cluster-process.ts";
import type { Fault } from "./fault.ts";
import type { Field } from "./field.ts";
import type { Way } from "./links.ts";

const LEADER_SHARE = 0.7;
/** That a member which was cut off has its connections broken afterwards, instead of hearing all that was held. */
const BREAK_SHARE = 0.5;
const FLAPS = 6;

/** The members in an order of chance; the leader stands first, mostly. */
async function shuffled(field: Field): Promise<ClusterMember[]> {
  const order = [...field.cluster.members];
  for (let at = order.length - 1; at > 0; at--) {
    const other = field.random.below(at + 1);
    [order[at], order[other]] = [order[other] as ClusterMember, order[at] as ClusterMember];
  }
  const leader = field.random.chance(LEADER_SHARE) ? await field.leader() : undefined;
  return leader === undefined ? order : [leader, ...order.filter((member) => member !== leader)];
}

/** A partition by which ways are cut, of members numbered from the leader on. */
function partition(name: string, isCut: (from: number, to: number, members: number) => boolean): Fault {
  return {
    name,
    async run(field, holdMs) {
      const order = await shuffled(field);
      const ways = field.ways((from, to) => isCut(from, to, order.length), order);
      const mend = field.links.cut(ways);
      await sleep(holdMs);
      const breaks = field.random.chance(BREAK_SHARE);
      const held = mend(breaks);
      if (held === 0) return undefined;
      return `${wordsOf(ways)}, something held on ${held}; then ${breaks ? "broken" : "all that was held arrives"}`;
    },
  };
}

const flapping: Fault = {
  name: "links that come and go",
  async run(field, holdMs) {
    const [first] = await shuffled(field);
    if (first === undefined) return undefined;
    const ways = field.ways(() => true).filter(({ from, to }) => from === first.name || to === first.name);
    let held = 0;
    for (let flap = 0; flap < FLAPS; flap++) {
      const mend = field.links.cut(ways.filter(() => field.random.chance(0.6)));
      await sleep(holdMs / FLAPS);
      held += mend(field.random.chance(BREAK_SHARE));
    }
    return held === 0 ? undefined : `of ${first.name}`;
  },
};

export const FAULTS_OF_LINKS: readonly Fault[] = [
  partition("one cut off", (from, to) => from === 0 || to === 0),
  partition("one not heard", (from) => from === 0),
  partition("one that hears nothing", (_from, to) => to === 0),
  // Two halves, and one member in the middle whom both can reach.
  partition("bridge", (from, to, members) => isBridged(from, to, members)),
  // Each hears a majority, and no two the same one.
  partition("majority ring", (from, to, members) => !isNear(from, to, members)),
  partition("halves", (from, to, members) => from < members / 2 !== to < members / 2),
  flapping,
];

/** The last one is the bridge. */
function isBridged(from: number, to: number, members: number): boolean {
  const bridge = members - 1;
  if (from === bridge || to === bridge) return false;
  return from < bridge / 2 !== to < bridge / 2;
}

/** Whether two stand close enough in the ring to be of one another's majority. */
function isNear(from: number, to: number, members: number): boolean {
  const apart = Math.abs(from - to);
  if (members === 3) return from + to !== 2;
  return Math.min(apart, members - apart) <= Math.floor(members / 4);
}

function wordsOf(ways: readonly Way[]): string {
  return ways.map(({ from, to }) => `${from}>${to}`).join(" ");
}
