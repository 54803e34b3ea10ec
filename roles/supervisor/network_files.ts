/**
 * The files that lists of networks such as mynetworks name: read here, because smtpd reads no files. A line of a cidr: file
 * that cannot be understood is left out, which lets fewer in; where that would let more in, after `!`, it is an error.
 */

import { textOfFile } from "../../shared/config/named_file.ts";
import { ConfigError, reason } from "../../shared/errors.ts";
import { networkItem } from "../../shared/net/network_list.ts";
import { splitList } from "../../shared/parameters/split_list.ts";
import { cidrNetworks } from "../../shared/table/cidr.ts";
import { MAX_FILE_BYTES, type Remarks } from "../../shared/table/text_file.ts";

/** Files that name files, up to here. */
const MAX_INCLUDES = 10;
/** Each network is compared with each client: more belong into a firewall. */
const MAX_NETWORKS = 10_000;

/** More than this many lines of one file that are left out are not named. */
const MAX_NAMED = 1000;

/** Takes what is wrong with a line that is left out, with its file and number. */
type Skipped = (text: string) => void;

/**
 * The text of a list with the networks of its files in their place; throws ConfigError that names the file. Whoever reports
 * problems takes what is skipped.
 */
export function readNetworks(text: string, skipped: Skipped = () => {}): string {
  const items = expand(splitList(text), { depth: 0, excepts: false, skipped });
  if (items.length > MAX_NETWORKS) {
    throw new ConfigError(`must be no more than ${MAX_NETWORKS} networks: are ${items.length}`);
  }
  return items.join(" ");
}

/** Where in a list the words stand. */
interface Position {
  readonly depth: number;
  /** What they name is left out of the list. */
  readonly excepts: boolean;
  readonly skipped: Skipped;
}

function expand(words: readonly string[], position: Position): string[] {
  return words.flatMap((word) => {
    const item = networkItem(word);
    if (!("file" in item)) return [word];
    const inner = { ...position, excepts: position.excepts === item.included };
    const inside = within(
      item.file,
      () => {
        const text = textOfFile(item.file, MAX_FILE_BYTES);
        return item.kind === "cidr"
          ? cidrNetworks(text, remarks(item.file, inner))
          : expand(splitList(withoutComments(text)), deeper(inner));
      },
    );
    return item.included ? inside : inside.map((each) => `!${each}`);
  });
}

function remarks(file: string, { excepts, skipped }: Position): Remarks {
  let named = 0;
  return {
    path: file,
    wrong(line, text, consequence = "skipping this line") {
      if (excepts) throw new ConfigError(`line ${line}: ${text}`);
      if (named++ < MAX_NAMED) skipped(`${file}, line ${line}: ${text}: ${consequence}`);
    },
    odd() {},
  };
}

function deeper(position: Position): Position {
  if (position.depth >= MAX_INCLUDES) throw new ConfigError(`included deeper than ${MAX_INCLUDES}`);
  return { ...position, depth: position.depth + 1 };
}

function withoutComments(text: string): string {
  return text.split("\n").filter((line) => !line.trimStart().startsWith("#")).join("\n");
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
