/** The conformance suite of leases on our own server. */
import { leaseSuite } from "./lease-suite.ts";
import { KVORUM } from "./target.ts";

leaseSuite(KVORUM);
