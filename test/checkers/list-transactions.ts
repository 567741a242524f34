/** Transactions that append to lists and read them: their form in a history, in a key's value and in words. */
import { shortNumber } from "./words.ts";

/** Of a longer list only the end is shown. */
const SHOWN_ITEMS = 10;

export type ListStep =
  | { readonly kind: "append"; readonly key: string; readonly value: number }
  /** `list` undefined: the transaction had no answer. */
  | { readonly kind: "read"; readonly key: string; readonly list: readonly number[] | undefined };

export interface ListTransaction {
  /** Unique in its history. */
  readonly id: number;
  readonly client: string;
  readonly calledMs: number;
  readonly returnedMs: number;
  /** In the order in which they take effect; a read after an append of the same transaction sees it. */
  readonly steps: readonly ListStep[];
  /** "unknown": without an answer; it counts as committed once somebody has read what it appended. */
  readonly outcome: "committed" | "aborted" | "unknown";
}

/** The form of a list in a key's value; the key that is not there is the empty list. */
export function encodeList(list: readonly number[]): string {
  return list.join(" ");
}

/** Throws an Error for what `encodeList` did not make. */
export function decodeList(text: string): number[] {
  if (text === "") return [];
  return text.split(" ").map((word) => {
    if (!/^\d+$/.test(word))
      throw new Error(`"${text}" is no list of numbers: "${word}" is none; write it with encodeList`);
    return Number(word);
  });
}

/** `#7 of client 2 (at 3..9 ms): append x 5; read y [1 2]`. */
export function listWords(transaction: ListTransaction | undefined): string {
  if (transaction === undefined) return "an unknown transaction";
  const { id, client, calledMs, returnedMs, steps, outcome } = transaction;
  const words = steps.map((step) =>
    step.kind === "append" ? `append ${step.key} ${step.value}` : `read ${step.key} ${listText(step.list)}`,
  );
  return `#${id} of ${client} (at ${shortNumber(calledMs)}..${outcome === "unknown" ? "?" : shortNumber(returnedMs)} ms): ${words.join("; ")}`;
}

/** `[1 2 3]`; of a long one the end. */
export function listText(list: readonly number[] | undefined): string {
  if (list === undefined) return "[?]";
  if (list.length <= SHOWN_ITEMS) return `[${list.join(" ")}]`;
  return `[... ${list.slice(-SHOWN_ITEMS).join(" ")}] (${list.length})`;
}
