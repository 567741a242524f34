/** The commands of a script: one function each. README.md has them in a table. */
import { utf8Bytes } from "../../server/base/bytes.ts";
import { type ConfState, EntryType, type HardState, type Snapshot } from "../../server/proto/raftpb.ts";
import { type AnyConfChange, emptyConfState } from "../../server/raft/conf-change.ts";
import { newMessage } from "../../server/raft/message.ts";
import {
  KINDS,
  messageText,
  parseChangeV1,
  parseChangeV2,
  parseEntries,
  progressText,
  proposalBytes,
  readContext,
  roleText,
} from "./words.ts";
import type { Chosen, Settings, World } from "./world.ts";

/** What stands behind a command: plain words, and the rest as "key=value". */
interface Given {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

type Command = (world: World, given: Given) => void;

/** Options of commands that are not settings; any other word with "=" is a mistake of the script. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  cluster: ["voters", "learners", "spare"],
  log: ["term", "vote", "commit"],
  deliver: ["nth"],
  drop: ["nth"],
  copy: ["nth"],
  forge: [
    ...["term", "index", "log-term", "commit", "hint", "entries", "read", "reads", "by-transfer"],
    ...["snapshot", "voters", "outgoing", "learners"],
  ],
};

const COMMANDS: Readonly<Record<string, Command>> = {
  cluster: (world, { options }) => {
    const ids = (key: string) => parseIds(options.get(key) ?? "");
    const raft = parseSettings(options);
    world.start({ voters: ids("voters"), learners: ids("learners"), spare: ids("spare"), raft });
  },
  log: giveLog,

  tick: (world, { words }) => {
    const times = Number(words[1] ?? 1);
    for (let at = 0; at < times; at++)
      for (const id of idsOf(world, words[0])) world.act(id, (one) => world.cluster.tick(one));
  },
  pass: (world, { words }) => {
    for (let at = 0; at < Number(words[0]); at++) {
      for (const { id, isUp } of world.cluster.members) if (isUp) world.act(id, (one) => world.cluster.tick(one));
      world.settle(() => true);
    }
  },
  campaign: (world, { words }) => world.act(idOf(words), ({ node }) => node.campaign()),
  propose: (world, { words }) => {
    for (const word of words.slice(1))
      answer(
        world,
        words,
        world.act(idOf(words), ({ node }) => node.propose(proposalBytes(word))),
      );
  },
  change: (world, { words }) => proposeChange(world, words, parseChangeV2(words.slice(1))),
  "change-v1": (world, { words }) => proposeChange(world, words, parseChangeV1(word(words, 1))),
  transfer: (world, { words }) => world.act(idOf(words), ({ node }) => node.transferLeader(idOf(words, 1))),
  read: (world, { words }) =>
    answer(
      world,
      words,
      world.act(idOf(words), ({ id }) => world.cluster.ask(id, idOf(words, 1))),
    ),
  forget: (world, { words }) => world.act(idOf(words), ({ node }) => node.forgetLeader()),
  unreachable: (world, { words }) => world.act(idOf(words), ({ node }) => node.reportUnreachable(idOf(words, 1))),
  report: (world, { words }) =>
    world.act(idOf(words), ({ node }) => node.reportSnapshot(idOf(words, 1), wasDelivered(word(words, 2)))),

  ready: (world, { words }) => {
    const took = world.act(idOf(words), (member) => world.take(member));
    if (!took) world.say("nothing to do");
  },
  sync: (world, { words }) => {
    if (!world.act(idOf(words), (member) => world.persist(member))) world.say("nothing to do");
  },
  settle: (world, { words }) => world.settle(chosen(words)),
  stall: (world, { words }) => void world.stalled.add(idOf(words)),
  unstall: (world, { words }) => void world.stalled.delete(idOf(words)),

  deliver: (world, { words, options }) => {
    for (const message of selected(world, words, options)) world.deliver(message);
  },
  drop: (world, { words, options }) => {
    for (const message of selected(world, words, options)) {
      world.forgetMessage(message);
      world.say(`${messageText(message)} (dropped)`);
    }
  },
  copy: (world, { words, options }) => {
    for (const message of selected(world, words, options)) world.cluster.network.push({ ...message });
  },
  forge,
  hold: (world, { words }) => void world.held.add(word(words, 0)),
  release: (world) => world.held.clear(),
  isolate: (world, { words }) => world.cluster.isolate(...words.map(BigInt)),
  cut: (world, { words }) => void world.cluster.cut.add(word(words, 0)),
  heal: (world) => world.cluster.heal(),

  compact: (world, { words }) => world.cluster.member(idOf(words)).compact(Number(words[1] ?? 0)),
  crash: (world, { words }) => world.cluster.crash(world.cluster.member(idOf(words)), Number(words[1] ?? 0)),
  restart: (world, { words, options }) => {
    world.restart(idOf(words), parseSettings(options));
    world.say(`${idOf(words)} is ${roleText(world.cluster.member(idOf(words)).status())}`);
  },
  show,
};

/** Does one line of a script; its lines pile up in `world`. "quietly" tells only how the members are afterwards. */
export function runCommand(world: World, line: string): void {
  const [first = "", ...rest] = line.split(/\s+/);
  if (first === "quietly") {
    runCommand(world, rest.join(" "));
    world.takeLines();
    world.summarize();
    return;
  }
  const command = COMMANDS[first];
  if (command === undefined) throw new Error(`no such command: ${first}`);
  const isOption = (one: string) => /^[a-z-]+=/.test(one);
  const options = rest.filter(isOption).map((one) => one.split("=", 2) as [string, string]);
  for (const [key] of options) if (!takesOption(first, key)) throw new Error(`no such option: ${key}`);
  command(world, { words: rest.filter((one) => !isOption(one)), options: new Map(options) });
}

function takesOption(command: string, key: string): boolean {
  if (OPTIONS[command]?.includes(key) === true) return true;
  return (command === "cluster" || command === "restart") && SETTINGS[key] !== undefined;
}

function word(words: readonly string[], at: number): string {
  const found = words[at];
  if (found === undefined) throw new Error("the command lacks a word");
  return found;
}

function idOf(words: readonly string[], at = 0): bigint {
  return BigInt(word(words, at));
}

function wasDelivered(text: string): boolean {
  if (text !== "delivered" && text !== "failed") throw new Error(`a snapshot is delivered or failed, not ${text}`);
  return text === "delivered";
}

function parseIds(text: string): bigint[] {
  return text === "" ? [] : text.split(",").map(BigInt);
}

/** "1,3", or "all". */
function idsOf(world: World, text = "all"): bigint[] {
  return text === "all" ? world.cluster.members.filter(({ isUp }) => isUp).map(({ id }) => id) : parseIds(text);
}

function chosen(words: readonly string[]): Chosen {
  if (words.length === 0) return () => true;
  const ids = words.map(BigInt);
  return (id) => ids.includes(id);
}

function answer(world: World, words: readonly string[], accepted: boolean): void {
  if (!accepted) world.say(`${word(words, 0)} refuses`);
}

function proposeChange(world: World, words: readonly string[], change: AnyConfChange): void {
  answer(
    world,
    words,
    world.act(idOf(words), ({ id }) => world.cluster.change(id, change)),
  );
}

function selected(world: World, words: readonly string[], options: ReadonlyMap<string, string>) {
  const rest = words.slice(1);
  const kind = rest.find((one) => one !== "all");
  if (kind !== undefined && KINDS[kind] === undefined) throw new Error(`no such kind of message: ${kind}`);
  const first = world.find(word(words, 0), kind, Number(options.get("nth") ?? 1));
  return rest.includes("all") ? world.findAll(word(words, 0), kind) : [first];
}

// Settings

const SETTINGS: Readonly<Record<string, (text: string) => Settings>> = {
  "pre-vote": (text) => ({ preVote: text === "on" }),
  "check-quorum": (text) => ({ checkQuorum: text === "on" }),
  "step-down": (text) => ({ stepDownOnRemoval: text === "on" }),
  election: (text) => ({ electionTicks: Number(text) }),
  heartbeat: (text) => ({ heartbeatTicks: Number(text) }),
  message: (text) => ({ maxMessageBytes: Number(text) }),
  window: (text) => ({ inflightMax: Number(text) }),
  "window-bytes": (text) => ({ inflightBytesMax: Number(text) }),
  uncommitted: (text) => ({ uncommittedBytesMax: Number(text) }),
};

function parseSettings(options: ReadonlyMap<string, string>): Settings {
  let settings: Settings = {};
  for (const [key, text] of options) settings = { ...settings, ...SETTINGS[key]?.(text) };
  return settings;
}

// A past, and messages, by hand

/** Gives a member the log of an earlier life: `log 1 1,1,2 term=3 commit=1`. */
function giveLog(world: World, { words, options }: Given): void {
  const terms = word(words, 1) === "none" ? [] : word(words, 1).split(",").map(Number);
  const hardState: Partial<HardState> = {
    ...(options.has("term") ? { term: Number(options.get("term")) } : {}),
    ...(options.has("vote") ? { vote: BigInt(options.get("vote") ?? 0) } : {}),
    ...(options.has("commit") ? { commit: Number(options.get("commit")) } : {}),
  };
  world.giveLog(idOf(words), terms, hardState);
}

/** A message made up by hand arrives: `forge 2>1 append-no term=1 index=5 hint=3 log-term=1`. */
function forge(world: World, { words, options }: Given): void {
  const [from = "", to = ""] = word(words, 0).split(">");
  const kind = KINDS[word(words, 1)];
  if (kind === undefined) throw new Error(`no such kind of message: ${words[1]}`);
  const number = (key: string) => Number(options.get(key) ?? 0);
  const message = newMessage(kind.type, BigInt(to));
  message.from = BigInt(from);
  message.reject = kind.reject ?? false;
  message.term = number("term");
  message.index = number("index");
  message.logTerm = number("log-term");
  message.commit = number("commit");
  message.rejectHint = number("hint");
  if (options.has("by-transfer")) message.context = utf8Bytes("CampaignTransfer");
  // A place in the line of reads, as heartbeats carry it.
  if (options.has("reads")) message.context = Uint8Array.of(number("reads"), 0, 0, 0, 0, 0, 0, 0);
  const entries = options.get("entries");
  if (entries !== undefined) message.entries = parseEntries(entries);
  message.snapshot = forgedSnapshot(options);
  const read = options.get("read");
  if (read !== undefined)
    message.entries = [{ type: EntryType.NORMAL, term: 0, index: 0, data: readContext(BigInt(read)) }];
  world.deliver(message);
}

/** What a forged snapshot stands for: `snapshot=9@2 voters=1,2 outgoing=1,2,3 learners=4`. */
function forgedSnapshot(options: ReadonlyMap<string, string>): Snapshot | undefined {
  const text = options.get("snapshot");
  if (text === undefined) return undefined;
  const [index, term] = text.split("@").map(Number);
  const ids = (key: string) => parseIds(options.get(key) ?? "");
  const confState: ConfState = {
    ...emptyConfState(),
    voters: ids("voters"),
    votersOutgoing: ids("outgoing"),
    learners: ids("learners"),
  };
  return { data: new Uint8Array(8), metadata: { index: index ?? 0, term: term ?? 0, confState } };
}

// Looking

function show(world: World, { words }: Given): void {
  switch (words[0]) {
    case "all":
      world.summarize();
      break;
    case "network":
      world.showNetwork();
      break;
    case "log":
      for (const id of idsOf(world, words[1])) world.showLog(id);
      break;
    case "progress":
      for (const progress of world.cluster.node(idOf(words, 1)).status().progress) world.say(progressText(progress));
      break;
    case "config":
      for (const id of idsOf(world, words[1])) world.showConfig(id);
      break;
    case "snapshot":
      world.showSnapshot(idOf(words, 1));
      break;
    default:
      throw new Error(`nothing to show: ${words[0]}`);
  }
}
