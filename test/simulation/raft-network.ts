/**
 * The network of a raft-only world: a link in each direction between any two, which loses, doubles, delays and turns
 * around what it carries, stands still for a while, or is cut. Messages are objects that nobody changes once they have
 * left. Whoever sends may be told of a loss; what became of a snapshot it is always told, as raft asks for.
 */
import type { Prng } from "../../server/base/prng.ts";
import { type Message, MessageType } from "../../server/proto/raftpb.ts";
import type { RaftMember } from "./raft-member.ts";
import { type Counts, longTailed, MS, type Timeline } from "./raft-timeline.ts";
import type { RaftWeather } from "./raft-weather.ts";

/** Old messages kept to be sent again. */
const KEPT_MAX = 2048;
const PLACES_MAX = 8;
/** Once all is healed: a window of one message must not keep who is far behind from coming level. */
const CALM_DELAY_US = 300;
/** How much later a message may come once more. */
const LATE_MAX_US = 3_000 * MS;

class Link {
  isCut = false;
  /** Nothing arrives before this time. */
  clogsToUs = 0;
  /** When the last of what keeps its order arrives. */
  lastUs = 0;
}

export class RaftNetwork {
  readonly #timeline: Timeline;
  readonly #weather: RaftWeather["network"];
  readonly #random: Prng;
  readonly #points: Counts;
  readonly #faults: Counts;
  readonly #members: readonly RaftMember[];
  readonly #links: Link[];
  readonly #kept: Message[] = [];
  #sent = 0;
  /** The faults of single messages are over: nothing is lost, and all arrives soon. */
  isCalm = false;

  constructor(parts: {
    timeline: Timeline;
    weather: RaftWeather["network"];
    random: Prng;
    points: Counts;
    faults: Counts;
    members: readonly RaftMember[];
  }) {
    this.#timeline = parts.timeline;
    this.#weather = parts.weather;
    this.#random = parts.random;
    this.#points = parts.points;
    this.#faults = parts.faults;
    this.#members = parts.members;
    this.#links = Array.from({ length: PLACES_MAX * PLACES_MAX }, () => new Link());
  }

  // ---- links

  /** What goes from place `from` to place `to` is lost; the way back stays. */
  cut(from: number, to: number): void {
    this.#link(from, to).isCut = true;
  }

  /** Stands still for so long; what is sent meanwhile arrives afterwards. */
  clog(from: number, to: number, durationUs: number): void {
    this.#link(from, to).clogsToUs = this.#timeline.nowUs + durationUs;
  }

  /** No link is cut. */
  join(): void {
    for (const link of this.#links) link.isCut = false;
  }

  /** For good: nothing is cut or clogged, and no message lost, doubled or turned around. */
  calm(): void {
    this.isCalm = true;
    this.join();
    for (const link of this.#links) link.clogsToUs = 0;
  }

  #link(from: number, to: number): Link {
    return this.#links[from * PLACES_MAX + to] as Link;
  }

  // ---- messages

  send(from: RaftMember, message: Message): void {
    this.#namePoint(message);
    if (this.#kept.length < KEPT_MAX) this.#kept.push(message);
    else this.#kept[this.#sent % KEPT_MAX] = message;
    this.#sent++;
    const { dropShare, duplicateShare, lateShare } = this.#weather;
    const link = this.#link(from.at, Number(message.to) - 1);
    if (link.isCut || (!this.isCalm && this.#random.chance(dropShare))) {
      this.#faults.add(link.isCut ? "message on a cut link" : "message dropped");
      this.#lose(from, from.life, message);
      return;
    }
    this.#carry(link, from, message, true);
    if (this.isCalm) return;
    if (this.#random.chance(duplicateShare)) {
      this.#faults.add("message doubled");
      this.#carry(link, from, message, false);
    }
    if (this.#random.chance(lateShare)) {
      this.#faults.add("message again much later");
      this.#timeline.after(this.#random.below(LATE_MAX_US), () => void this.#deliver(message));
    }
  }

  /** One of the messages of long ago arrives once more. */
  replay(): void {
    if (this.#kept.length === 0) return;
    const message = this.#random.pick(this.#kept);
    this.#deliver(message);
  }

  #carry(link: Link, from: RaftMember, message: Message, isFirst: boolean): void {
    const { nowUs } = this.#timeline;
    const delayUs = longTailed(this.#random, this.isCalm ? CALM_DELAY_US : this.#weather.delayUs);
    let atUs = Math.max(nowUs + delayUs, link.clogsToUs);
    if (!this.#weather.reorders || this.isCalm) {
      atUs = Math.max(atUs, link.lastUs + 1);
      link.lastUs = atUs;
    }
    const { life } = from;
    this.#timeline.after(atUs - nowUs, () => {
      const arrived = !link.isCut && this.#deliver(message);
      if (!isFirst) return;
      if (!arrived) this.#lose(from, life, message);
      else if (message.type === MessageType.SNAP) this.#reportSnapshot(from, life, message, true);
    });
  }

  #deliver(message: Message): boolean {
    const { type, to, from, term, index, reject } = message;
    const member = this.#members[Number(to) - 1] as RaftMember;
    this.#timeline.note(type, member.at * 8 + Number(from), term * 65536 + index * 2 + (reject ? 1 : 0));
    this.#timeline.tell(() => inWords(message));
    return member.receive(message);
  }

  #lose(from: RaftMember, life: number, message: Message): void {
    if (message.type === MessageType.SNAP) this.#reportSnapshot(from, life, message, false);
    if (!this.isCalm && !this.#random.chance(this.#weather.reportShare)) return;
    this.#timeline.after(1 * MS + this.#random.below(20 * MS), () => {
      from.run(life, () => from.node.reportUnreachable(message.to));
    });
  }

  #reportSnapshot(from: RaftMember, life: number, message: Message, wasDelivered: boolean): void {
    this.#timeline.after(1 * MS + this.#random.below(50 * MS), () => {
      from.run(life, () => from.node.reportSnapshot(message.to, wasDelivered));
    });
  }

  #namePoint({ type, reject, from, to }: Message): void {
    switch (type) {
      case MessageType.PRE_VOTE_RESP:
        if (reject) this.#points.add("pre-vote refused");
        break;
      case MessageType.VOTE_RESP:
        this.#points.add(reject ? "vote refused" : "vote given");
        break;
      case MessageType.APP_RESP:
        if (reject) this.#points.add("append refused");
        break;
      case MessageType.SNAP:
        this.#points.add("snapshot sent");
        break;
      case MessageType.PROP:
        this.#points.add("proposal passed on");
        break;
      case MessageType.READ_INDEX_RESP:
        if (from !== to) this.#points.add("read answered for another");
        break;
      case MessageType.TIMEOUT_NOW:
        this.#points.add("transfer begun");
        break;
      default:
        break;
    }
  }
}

const KIND_NAMES = new Map(Object.entries(MessageType).map(([name, type]) => [type as number, name]));

/** "1>2 APP term 3, after 7 (2): 1 entries, commit 6". */
function inWords({ type, from, to, term, index, logTerm, entries, commit, reject }: Message): string {
  const what = `${from}>${to} ${KIND_NAMES.get(type) ?? type}${reject ? " refused" : ""} term ${term}`;
  const place = index === 0 ? "" : `, at ${index} (${logTerm})`;
  return `${what}${place}${entries.length === 0 ? "" : `, ${entries.length} entries`}${commit === 0 ? "" : `, commit ${commit}`}`;
}
