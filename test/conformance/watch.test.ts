/** The conformance suite of watches on our own server. */
import { KVORUM } from "./target.ts";
import { watchSuite } from "./watch-suite.ts";

watchSuite(KVORUM);
