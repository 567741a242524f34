/** Mistakes planted in what a load has recorded: the judge must see them, else its silence means nothing. */
import type { Batch } from "./records.ts";

/** As if the store had lost one acknowledged write. Throws an Error where there is none. */
export function withLostWrite(batches: readonly Batch[]): readonly Batch[] {
  const keys = batches.flatMap((batch) => (batch.acked ?? []).map(([key]) => key));
  const lost = keys[Math.floor(keys.length / 2)];
  if (lost === undefined) throw new Error("there is no acknowledged write to lose");
  return batches.map((batch) => {
    const { state, events } = batch;
    return {
      ...batch,
      ...(events && { events: events.filter(([, , key]) => key !== lost) }),
      ...(state && { state: { ...state, keys: state.keys.filter(([key]) => key !== lost) } }),
    };
  });
}

/** As if one watcher had been passed over once. Throws an Error where nobody was sent anything. */
export function withMissedEvent(batches: readonly Batch[]): readonly Batch[] {
  const all = batches.flatMap((batch) => batch.events ?? []);
  const missed = all[Math.floor(all.length / 2)];
  if (missed === undefined) throw new Error("there is no event to miss");
  return batches.map((batch) =>
    batch.events === undefined ? batch : { ...batch, events: batch.events.filter((event) => event !== missed) },
  );
}
