/** Where members keep their data: `spec.storage`. */
import { annotations, labels, objectName, quantity } from "./leaves.ts";
import { object, oneOf } from "./node.ts";
import { exactlyOne, fixed, fixedField, fixedPresence } from "./rules.ts";

const size = quantity(
  "Size of each member's volume. It may grow, where the storage class allows it, and never shrinks.",
  {
    change: "live",
    minimum: "16Mi",
    maximum: "1Pi",
    rules: [
      {
        rule: "!isQuantity(self) || !isQuantity(oldSelf) || quantity(self).compareTo(quantity(oldSelf)) >= 0",
        message: "a volume cannot shrink: give the present size or a greater one",
      },
    ],
  },
);

const persistent = object("A volume for each member, kept while its Pods come and go.", {
  change: "fixed",
  rules: [fixedField("storageClassName")],
  always: {
    size,
    accessMode: oneOf(
      "Who may mount a volume: Pods of one node at a time, or one single Pod.",
      ["ReadWriteOnce", "ReadWriteOncePod"],
      { default: "ReadWriteOnce", rules: [fixed("accessMode")] },
    ),
  },
  maybe: {
    storageClassName: objectName("Class of the volumes; the cluster's default class when absent."),
    labels: labels("Labels for the claims.", { change: "later" }),
    annotations: annotations("Annotations for the claims.", { change: "later" }),
  },
});

const ephemeral = object("No volume: a member's data ends with its Pod. For tests and caches.", {
  change: "fixed",
  rules: [fixed("ephemeral storage")],
  always: {
    medium: oneOf("The node's disk (empty), or its memory.", ["", "Memory"], { default: "" }),
  },
  maybe: {
    sizeLimit: quantity("The most a member may take before its Pod is evicted.", { minimum: "16Mi", maximum: "1Ti" }),
  },
});

const reclaim = object("What becomes of volumes that are no longer used.", {
  change: "live",
  default: {},
  always: {
    onDelete: oneOf("When the EtcdCluster is deleted.", ["Retain", "Delete"], { default: "Retain" }),
    onMemberRemoval: oneOf("When a member is removed or replaced.", ["Retain", "Delete"], { default: "Delete" }),
  },
});

/** `spec.storage`. */
export const storage = object("Where members keep their data: exactly one of persistent and ephemeral.", {
  rules: [
    exactlyOne(["persistent", "ephemeral"]),
    fixedPresence("persistent", "the kind of storage cannot be changed after creation"),
  ],
  always: { reclaim },
  maybe: { persistent, ephemeral },
});
