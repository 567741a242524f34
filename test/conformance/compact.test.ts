/** The conformance suite of compaction on our own server. */
import { compactSuite, firstCompactionSuite } from "./compact-suite.ts";
import { KVORUM } from "./target.ts";

compactSuite(KVORUM);
firstCompactionSuite(KVORUM);
