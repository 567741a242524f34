/**
 * Mistakes to be planted in the product: a test of the simulator. Each is a text of one built file and what takes its
 * place (tsc only strips types, so it is mostly the text of the source), named after the row of the list of real bugs
 * that it repeats: of etcd by letter and number (D: what is durable and the same everywhere, W: the log's files, X: watches,
 * L: leases, R: reads, M: membership), of raft by the paper's section. `npm run mistakes` (`plant.ts`) plants each in a copy
 * of the build and runs seeds of its level there, from the first on: one of the first 200 must fail. Good mistakes need a
 * fault to show; those that stop every start prove little. A text that is not there exactly once is an error, so the table
 * cannot rot. What the seeds do not find stays in the table with the reason: it says what the simulator lacks. `by` is the
 * check that is expected to complain.
 */
import { RAFT_MISTAKES } from "./mistakes-raft.ts";
import { SERVER_MISTAKES } from "./mistakes-server.ts";

export interface Mistake {
  /** The row, a stroke, and a word or two; no other has it. */
  readonly name: string;
  /** What goes wrong. */
  readonly what: string;
  readonly level: "raft" | "server";
  /** Below `dist`. */
  readonly file: string;
  /** Exactly once in the file. */
  readonly text: string;
  readonly instead: string;
  /** What the complaint is expected to say. */
  readonly by: RegExp;
  /** Why no seed is known that notices, and how many were tried when not 200; absent: one of the first 200 does. */
  readonly missed?: string;
}

export const MISTAKES: readonly Mistake[] = [...RAFT_MISTAKES, ...SERVER_MISTAKES];
