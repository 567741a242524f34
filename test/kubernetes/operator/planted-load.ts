/** The checker itself is tried: mistakes in what a real load has recorded, and a load that makes them in a real store. */
import { judge } from "./checker.ts";
import { until } from "./kube.ts";
import { Load } from "./load-pod.ts";
import { withLostWrite, withMissedEvent } from "./planted.ts";
import { CLUSTER, type Suite } from "./suite.ts";

/** In a record that was found good. */
export function plantInRecord({ report }: Suite, load: Load): void {
  const words = (problems: readonly string[]) => problems.filter((text) => /lost|missed/.test(text)).join("; ");
  const lost = judge(withLostWrite(load.batches)).problems;
  report.check(`a write planted as lost is caught: ${words(lost)}`, /acknowledged write is lost/.test(words(lost)));
  const missed = judge(withMissedEvent(load.batches)).problems;
  report.check(`an event planted as missed is caught: ${words(missed)}`, /event was missed/.test(words(missed)));
}

/** A client that deletes what it was told is written, and one whose watcher drops an event. */
export async function plantInStore({ kube, report }: Suite): Promise<void> {
  const load = await Load.start(kube, { name: "planted", cluster: CLUSTER, plants: "loss,event" });
  try {
    await until("both mistakes are made", 60, async () =>
      ["0/25", "1/25"].every((name) => load.batches.some(({ acked = [] }) => acked.some(([key]) => key === name))),
    );
    const { problems } = await load.end();
    const text = problems.join("; ");
    report.check(
      "a key that is deleted behind the checker's back is told as lost",
      /write is lost[^;]*0\/20/.test(text),
      text,
    );
    report.check(
      "an event that a watcher does not pass on is told as missed",
      /missed by watcher 1[^;]*1\/20/.test(text),
      text,
    );
  } finally {
    load.stop();
  }
}
