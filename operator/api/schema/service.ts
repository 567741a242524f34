/** How clients reach the members: `spec.service`. */
import { annotations, labels, shortName } from "./leaves.ts";
import { integer, mapList, object, oneOf, type Rule, set, string } from "./node.ts";

const LOAD_BALANCER_RULE: Rule = {
  rule: "self.type == 'LoadBalancer' || !(has(self.loadBalancerClass) || has(self.loadBalancerSourceRanges))",
  message: "loadBalancerClass and loadBalancerSourceRanges need type LoadBalancer",
};

const NODE_PORT_RULE: Rule = {
  rule: "self.type != 'ClusterIP' || !has(self.nodePort)",
  message: "nodePort needs type NodePort or LoadBalancer",
  fieldPath: ".nodePort",
};

const TEMPLATE = {
  always: {
    type: oneOf("How far the Service reaches.", ["ClusterIP", "NodePort", "LoadBalancer"], { default: "ClusterIP" }),
  },
  maybe: {
    labels: labels("Labels for the Service."),
    annotations: annotations("Annotations for the Service."),
    trafficDistribution: string("Which members are preferred, such as PreferClose; see Kubernetes' Service.", {
      maxLength: 63,
      pattern: "^[A-Z][A-Za-z]*$",
    }),
    loadBalancerClass: string("Whose load balancer; with type LoadBalancer only.", {
      minLength: 1,
      maxLength: 317,
      pattern: "^[a-z0-9A-Z./_-]+$",
    }),
    loadBalancerSourceRanges: set(
      "Networks that the load balancer lets in; with type LoadBalancer only.",
      string("Such as 10.0.0.0/8.", { minLength: 4, maxLength: 49, pattern: "^[0-9a-fA-F.:]+/[0-9]{1,3}$" }),
      { maxItems: 64 },
    ),
    nodePort: integer("Port on every node; with type NodePort or LoadBalancer.", { minimum: 1, maximum: 65_535 }),
    internalTrafficPolicy: oneOf("Members of the whole cluster, or of the caller's node only.", ["Cluster", "Local"]),
    ipFamilyPolicy: oneOf("One family of addresses, or two where, or only if, there are two.", [
      "SingleStack",
      "PreferDualStack",
      "RequireDualStack",
    ]),
  },
} as const;

const RULES = [LOAD_BALANCER_RULE, NODE_PORT_RULE];

const client = object("The Service CLUSTER-client, which leads to all ready voters.", {
  ...TEMPLATE,
  default: {},
  rules: RULES,
});

const suffix = shortName("The Service is called CLUSTER-NAME.", {
  maxLength: 20,
  rules: [
    {
      rule: "!(self in ['client', 'peers'])",
      message: "client and peers are Services of the operator: choose another name",
      reason: "FieldValueForbidden",
    },
  ],
});

const additional = mapList(
  "More Services that lead to all ready voters.",
  ["name"],
  object("One Service.", { ...TEMPLATE, always: { name: suffix, ...TEMPLATE.always }, rules: RULES }),
  { maxItems: 8 },
);

/** `spec.service`. */
export const service = object("How clients reach the members.", {
  change: "live",
  default: {},
  always: { client },
  maybe: { additional },
});
