/** The operator's own plan, as a process of the game runs it. */
import { plan } from "../../../operator/plan/plan.ts";
import { gameBuilders } from "./builders.ts";
import type { MakePlanner } from "./operators.ts";

export const makePlanner: MakePlanner = () => (seen) => plan(seen, gameBuilders);
