/** The conformance suite of maintenance, cluster and health on our own server. */
import { maintenanceSuite } from "./maintenance-suite.ts";
import { KVORUM } from "./target.ts";
import { unimplementedSuite } from "./unimplemented-suite.ts";

maintenanceSuite(KVORUM);
unimplementedSuite(KVORUM);
