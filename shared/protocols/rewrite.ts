/** rewrite: trivial-rewrite and proxymap in one. Addresses are in internal (unquoted) form. */

import { call, service } from "../ipc/declare.ts";
import { line, shape, type Static, Type } from "../ipc/schema.ts";
import { MAX_ADDRESS } from "../mail/envelope.ts";

export const AddressClass = Type.Enum(["local", "alias", "virtual", "relay", "default"]);
export type AddressClass = Static<typeof AddressClass>;

/** Where a recipient goes (reference 5.2). `error`: bad address, bounce. `fail`: a table failed, defer. */
export const Resolved = shape({
  /** A service of master.cf, or error, retry, discard. */
  transport: line(64),
  nexthop: line(MAX_ADDRESS),
  recipient: line(MAX_ADDRESS),
  class: AddressClass,
  /** The address names another route behind its domain (`user%other@here`). */
  routed: Type.Boolean(),
  error: Type.Boolean(),
  fail: Type.Boolean(),
});
export type Resolved = Static<typeof Resolved>;

/** The tables that other roles may ask: exactly these parameters. */
export const LOOKUP_PARAMETERS = [
  "virtual_alias_maps",
  "virtual_mailbox_maps",
  "virtual_uid_maps",
  "virtual_gid_maps",
] as const;

/** The longest value that an answer has: some thousand members of an alias. A hundred of them are under way at once. */
export const MAX_VALUE_LENGTH = 256 * 1024;
/** JSON's escapes are the longest form of a character, and the extension is as long as an address at most. */
const LOOKUP_BYTES = 6 * (MAX_VALUE_LENGTH + MAX_ADDRESS) + 100;

const deadlineSeconds = 100;

export const rewriteService = service("rewrite", {
  /** To standard form (reference 5.3). */
  rewrite: call({
    request: shape({
      context: Type.Enum(["local", "remote"]),
      address: line(MAX_ADDRESS),
    }),
    reply: shape({ address: line(MAX_ADDRESS) }),
    deadlineSeconds,
  }),
  resolve: call({
    request: shape({ sender: line(MAX_ADDRESS), address: line(MAX_ADDRESS) }),
    reply: Resolved,
    deadlineSeconds,
  }),
  /** What smtpd must know at RCPT: rewritten, resolved, and whether the recipient is listed in its class. */
  recipient: call({
    request: shape({ sender: line(MAX_ADDRESS), address: line(MAX_ADDRESS) }),
    reply: shape({
      resolved: Resolved,
      /**
       * `any`: the class has no list of recipients. `error`: the transport is error or retry, whose nexthop says why. `fail`:
       * a table failed.
       */
      listed: Type.Enum(["error", "yes", "no", "any", "fail"]),
    }),
    deadlineSeconds,
  }),
  /**
   * An address in a table: user+ext@dom, user@dom, bare forms for local domains, @dom, in Postfix's order. A table that fails,
   * or has a longer value, answers `fail`, never `value: null`.
   */
  lookup: call({
    request: shape({
      parameter: Type.Enum(LOOKUP_PARAMETERS),
      address: line(MAX_ADDRESS),
    }),
    reply: shape({
      value: Type.Union([Type.Null(), Type.String({ maxLength: MAX_VALUE_LENGTH })]),
      /** What each address of an alias is to get (`propagate_unmatched_extensions`); missing when nothing. */
      extension: Type.Optional(line(MAX_ADDRESS)),
      fail: Type.Boolean(),
    }),
    deadlineSeconds,
    headerBytes: LOOKUP_BYTES,
  }),
});
