/** Parameters of bounce: what reports quote, and what postmasters hear of. */

import { int, text } from "./declare.ts";
import { identity, sizes } from "./global.ts";
import { words } from "./parsers.ts";
import { qmgrParameters } from "./qmgr.ts";

/** What `notify_classes` can name. */
const CLASSES = "bounce 2bounce data delay policy protocol resource software".split(" ");
/** Of these, what nothing is sent for yet; the two that everybody has by default are no news. */
const UNBUILT = ["data", "policy", "protocol"];

function unbuilt(text: string): string[] {
  const named = text.toLowerCase().split(/[\s,]+/);
  return UNBUILT.filter((each) => named.includes(each));
}

const reports = {
  bounceSizeLimit: int("bounce_size_limit", "50000", {
    min: 1,
    doc:
      "A failure report quotes a message up to this many bytes whole, of a larger one its headers.",
  }),
  notifyClasses: {
    ...words("notify_classes", "resource, software", CLASSES, {
      optional: true,
      doc: "What postmasters are told of: bounce, 2bounce, delay; the other classes are not built.",
    }),
    caution: (text: string) =>
      unbuilt(text).length ? `${unbuilt(text).join(", ")}: nobody is told of these yet` : undefined,
  },
  bounceNoticeRecipient: text("bounce_notice_recipient", "postmaster", {
    doc: "Who gets the headers of mail that was returned, with class bounce.",
  }),
  doubleBounceNoticeRecipient: text("2bounce_notice_recipient", "postmaster", {
    doc: "Who gets mail that can neither be delivered nor returned, with class 2bounce or bounce.",
  }),
  delayNoticeRecipient: text("delay_notice_recipient", "postmaster", {
    doc: "Who gets the headers of mail that is late, with class delay.",
  }),
};

export const bounceParameters = {
  myhostname: identity.myhostname,
  mailName: identity.mailName,
  myorigin: identity.myorigin,
  mydomain: identity.mydomain,
  doubleBounceSender: qmgrParameters.doubleBounceSender,
  delayWarningTime: qmgrParameters.delayWarningTime,
  messageSizeLimit: sizes.messageSizeLimit,
  ...reports,
};
