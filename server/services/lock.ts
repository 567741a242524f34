/** Lock: comes with its own issue. */
import { unimplemented } from "./unimplemented.ts";

export const lock = {
  lock: unimplemented("Lock"),
  unlock: unimplemented("Unlock"),
};
