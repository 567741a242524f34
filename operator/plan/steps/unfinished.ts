/**
 * Membership work that was begun and not finished, by this operator before it ended or by the pass before: finished if
 * it is still wanted, undone if not. Here every crash point has its continuation, and none needs a journal.
 */
import type { Decision } from "../decision.ts";
import { stalled } from "../decision.ts";
import type { View } from "../view.ts";
import { learner } from "./learner.ts";
import { leftovers } from "./leftovers.ts";
import { marks } from "./marks.ts";

export function unfinished(view: View): Decision | undefined {
  const stranger = view.strangers[0];
  if (stranger !== undefined)
    return stalled(
      "ForeignMember",
      `member ${stranger.id} (${stranger.name === "" ? stranger.peerUrls.join(", ") : stranger.name}) was added by somebody else: remove it, or give it back to those who did`,
    );
  return marks(view) ?? leftovers(view) ?? learner(view);
}
