/** The conformance suite of bad input on our own server. */
import { badInputSuite } from "./bad-input-suite.ts";
import { KVORUM } from "./target.ts";

badInputSuite(KVORUM);
