/** The parameters of pickup and sendmail: what local users may hand in. */

import { choice } from "./declare.ts";
import { identity, queue, sizes } from "./global.ts";

export const pickupParameters = { ...identity, ...queue, ...sizes };

/** Read by the sendmail command alone. */
export const sendmailParameters = {
  myhostname: identity.myhostname,
  mailName: identity.mailName,
  ...queue,
  ...sizes,
  fixLineEndings: choice("sendmail_fix_line_endings", "always", ["always", "strict", "never"], {
    doc: "Which lines of a submission lose the CR before their LF: always, strict for all or " +
      "none as the first line has it, or never.",
  }),
};
