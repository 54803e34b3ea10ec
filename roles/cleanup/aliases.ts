/** The virtual aliases of one message (reference 5.4): followed until none is left, each address asked for once. */

import { warning } from "../../shared/log/log.ts";
import type { cleanupParameters } from "../../shared/parameters/cleanup.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import { localPartOf } from "../../shared/mail/address.ts";
import { MAX_ADDRESS } from "../../shared/mail/envelope.ts";
import type { Lookup, RewriteCache } from "../../shared/rewrite_cache.ts";
import { Refusal } from "../../shared/smtp/refusal.ts";
import { type List, readMembers } from "./members.ts";
import type { Pace } from "./pace.ts";
import { ALIAS_ERROR, WRITE_ERROR } from "./refusal.ts";

/** What is asked of rewrite. */
export type Addresses = Pick<RewriteCache, "rewrite" | "lookup">;
export type Params = Values<typeof cleanupParameters>;

/** What an address stands for, in standard form; null when it is no alias. */
type Members = readonly string[] | null;

/** What is remembered for one message: several large lists. */
const MAX_REMEMBERED_BYTES = 300_000;
/** Each answer costs about so much beside its text. */
const ANSWER_BYTES = 50;

/** Whether the table has anything to say of an address. */
export function isAlias({ value, fail }: Lookup): boolean {
  return value !== null || fail;
}

export class Aliases {
  #answers = new Map<string, Members>();
  /** By what the table has, and without extension: with that and capitals a list has many names, and is read once. */
  #lists = new Map<string, List>();
  #room = MAX_REMEMBERED_BYTES;

  constructor(
    readonly params: Params,
    readonly addresses: Addresses,
    readonly queueId: string,
    readonly pace: Pace,
  ) {}

  /** Follows aliases until none is left, from what the table has of the recipient; what is too much refuses the message. */
  async follow(recipient: string, found: Lookup): Promise<string[] | Refusal> {
    const { virtualAliasRecursionLimit, virtualAliasExpansionLimit } = this.params;
    const done: string[] = [];
    /** Addresses that expand into themselves do so once. */
    const settled = new Set<string>();
    const open = [{ address: recipient, depth: 0 }];
    for (let next = open.pop(); next; next = open.pop()) {
      const rest = this.pace.step(1);
      if (rest) await rest;
      const { address, depth } = next;
      const asked = settled.has(fold(address))
        ? null
        : this.#members(address, depth ? undefined : found);
      const members = asked instanceof Promise ? await asked : asked;
      if (members instanceof Refusal) return members;
      if (members === null) {
        done.push(address);
        continue;
      }
      if (depth >= virtualAliasRecursionLimit) return this.#unreasonable("nesting", recipient);
      if (members.length + open.length + done.length > virtualAliasExpansionLimit) {
        return this.#unreasonable("expansion size", recipient);
      }
      if (members.some((member) => fold(member) === fold(address))) settled.add(fold(address));
      for (let i = members.length; i--;) open.push({ address: members[i]!, depth: depth + 1 });
    }
    return done;
  }

  /** A promise only where something has to be asked for. */
  #members(address: string, first?: Lookup): Members | Refusal | Promise<Members | Refusal> {
    const known = this.#answers.get(address);
    if (known !== undefined) return known;
    const found = first ?? this.addresses.lookup("virtual_alias_maps", address);
    return found instanceof Promise
      ? found.then((found) => this.#read(address, found))
      : this.#read(address, found);
  }

  #read(address: string, found: Lookup): Members | Refusal | Promise<Members | Refusal> {
    const { value, extension = "", fail } = found;
    if (fail) {
      this.#later("virtual_alias_maps map lookup problem", address);
      return WRITE_ERROR;
    }
    if (value === null) return this.#answer(address, null);
    const list = this.#lists.get(value) ?? this.#readList(address, value);
    if (list instanceof Refusal) return list;
    return list instanceof Promise
      ? list.then((list) => this.#own(address, list, extension))
      : this.#own(address, list, extension);
  }

  /** What the table has, in standard form. */
  #readList(address: string, value: string): List | Refusal | Promise<List> {
    const list = readMembers(value);
    if (!list) return this.#unusable("bad address list", address, value);
    const { members, sameUser } = list;
    if (members.length > this.params.virtualAliasExpansionLimit) {
      return this.#unreasonable("expansion size", address);
    }
    if (members.some((member) => this.#isLong(member))) return this.#long(address, value);
    const standard = members.map((member) => this.addresses.rewrite("local", member));
    const keep = (members: string[]) => {
      const list = { members, sameUser };
      if (this.#hasRoom(value.length)) this.#lists.set(value, list);
      return list;
    };
    return standard.some((each) => each instanceof Promise)
      ? Promise.all(standard).then(keep)
      : keep(standard as string[]);
  }

  /** What a list is for the address that has it: each member gets its extension, or its whole name (virtual(5)). */
  #own(address: string, { members, sameUser }: List, extension: string): Members | Refusal {
    if (!extension && !sameUser) return this.#answer(address, members);
    const own = members.map((member, i) => {
      if (sameUser && i === 0) return localPartOf(address) + member;
      const local = localPartOf(member);
      return local + extension + member.slice(local.length);
    });
    const long = own.find((member) => this.#isLong(member));
    if (long !== undefined) return this.#long(address, long);
    return this.#answer(address, own, own.join().length);
  }

  /** Remembers an answer that holds so much text of its own, if there is room. */
  #answer(address: string, members: Members, length = 0): Members {
    if (this.#hasRoom(address.length + length)) this.#answers.set(address, members);
    return members;
  }

  /** Whether so much text more may be remembered. */
  #hasRoom(length: number): boolean {
    const bytes = length + ANSWER_BYTES;
    if (bytes > this.#room) return false;
    this.#room -= bytes;
    return true;
  }

  #isLong(member: string): boolean {
    return member.length > Math.min(this.params.virtualAliasAddressLengthLimit, MAX_ADDRESS);
  }

  #long(address: string, text: string): Refusal {
    return this.#unusable("address of excessive length", address, text);
  }

  #unusable(what: string, address: string, text: string): Refusal {
    warning(`${this.queueId}: virtual_alias_maps: ${what} for ${address}: ${text}`);
    return ALIAS_ERROR;
  }

  #unreasonable(what: string, recipient: string): Refusal {
    this.#later(`unreasonable virtual_alias_maps map ${what}`, recipient);
    return ALIAS_ERROR;
  }

  #later(what: string, address: string): void {
    warning(`${this.queueId}: ${what} for ${address} -- message not accepted, try again later`);
  }
}

/** Two addresses that differ in case alone are one mailbox. */
export function fold(text: string): string {
  return text.toLowerCase();
}
