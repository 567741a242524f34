/** `npm run build`: installs what is missing and compiles, whether or not the last build looks current. */
import { rebuild } from "./prepare.mjs";

rebuild();
