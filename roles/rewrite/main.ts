/**
 * rewrite - say what an address means here, and where it goes.
 *
 * Brings addresses to standard form, resolves recipients to transport and next hop, and looks addresses up in the
 * configured tables for the roles that may not read them.
 *
 * Trusts   nothing in an address; the configuration and its tables, as far as they can be read.
 * Talks to nobody; answers rewrite for smtpd, cleanup, qmgr and virtual.
 * Keeps    the tables in memory, read again within a second of a change.
 * Fails    a table that cannot be read makes its lookups fail: clients hear 4xx, mail waits, nothing bounces.
 */

import { rewriteParameters } from "../../shared/parameters/rewrite.ts";
import { role } from "../../shared/role/role.ts";
import { answers } from "./answers.ts";
import { Settings } from "./settings.ts";

role({
  name: "rewrite",
  parameters: rewriteParameters,
  start({ params }) {
    return { answers: [answers(new Settings(params))] };
  },
});
