/** Election: comes with its own issue. */
import { unimplemented } from "./unimplemented.ts";

export const election = {
  campaign: unimplemented("Campaign"),
  proclaim: unimplemented("Proclaim"),
  leader: unimplemented("Leader"),
  observe: unimplemented("Observe"),
  resign: unimplemented("Resign"),
};
