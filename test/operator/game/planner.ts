/** The operator's own plan, as a process of the game runs it. */
import { plan } from "../../../operator/plan/plan.ts";
import { remembered } from "../../../operator/plan/remembered.ts";
import { gameBuilders } from "./builders.ts";
import type { MakePlanner } from "./operators.ts";

/** What they remember follows from what they are given: processes may share it. */
const builders = remembered(gameBuilders);

export const makePlanner: MakePlanner = () => (seen) => plan(seen, builders);
