/** The conformance suite of KV on our own server. */
import { kvSuite } from "./kv-suite.ts";
import { KVORUM } from "./target.ts";

kvSuite(KVORUM);
