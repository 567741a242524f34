/** What the plan asks for, made by those who know how objects look and what a good spec is. */
import { validateSpec } from "../api/validate.ts";
import type { Builders } from "../plan/builders.ts";
import { remembered } from "../plan/remembered.ts";
import { resourceBuilders } from "../resources/builders.ts";
import type { OperatorDefaults } from "../resources/member.ts";

export function clusterBuilders(defaults: OperatorDefaults): Builders {
  return remembered({
    ...resourceBuilders(defaults),
    // Which version may follow which is the plan's affair: it knows what runs.
    validate: ({ spec }) =>
      validateSpec(spec).map(({ kind, path, value, wrong, remedy }) => ({
        kind,
        path,
        message: `"${value}": ${wrong}; ${remedy}`,
      })),
  });
}
