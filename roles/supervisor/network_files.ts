/** The files that lists of networks such as mynetworks name: read here, because smtpd reads no files. */

import { ConfigError, reason } from "../../shared/errors.ts";
import { networkItem } from "../../shared/net/network_list.ts";
import { splitList } from "../../shared/parameters/split_list.ts";
import { cidrNetworks } from "../../shared/table/cidr.ts";
import { MAX_FILE_BYTES } from "../../shared/table/file.ts";

/** Files that name files, up to here. */
const MAX_INCLUDES = 10;
/** Each network is compared with each client: more belong into a firewall. */
const MAX_NETWORKS = 10_000;

/** The text of a list with the networks of its files in their place; throws ConfigError that names the file. */
export function readNetworks(text: string): string {
  const items = expand(splitList(text), 0);
  if (items.length > MAX_NETWORKS) {
    throw new ConfigError(`must be no more than ${MAX_NETWORKS} networks: are ${items.length}`);
  }
  return items.join(" ");
}

function expand(words: readonly string[], depth: number): string[] {
  return words.flatMap((word) => {
    const item = networkItem(word);
    if (!("file" in item)) return [word];
    const inside = within(
      item.file,
      () =>
        item.kind === "cidr"
          ? cidrNetworks(read(item.file))
          : expand(splitList(withoutComments(read(item.file))), deeper(depth)),
    );
    return item.included ? inside : inside.map((each) => `!${each}`);
  });
}

function deeper(depth: number): number {
  if (depth >= MAX_INCLUDES) throw new ConfigError(`included deeper than ${MAX_INCLUDES}`);
  return depth + 1;
}

function withoutComments(text: string): string {
  return text.split("\n").filter((line) => !line.trimStart().startsWith("#")).join("\n");
}

function read(file: string): string {
  if (Deno.statSync(file).size > MAX_FILE_BYTES) throw new ConfigError("is too large");
  return Deno.readTextFileSync(file);
}

/** What is wrong inside a file names it. */
function within<T>(file: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "cannot open: no such file" : reason(error);
    throw new ConfigError(`${file}: ${why}`);
  }
}
