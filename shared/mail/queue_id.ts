/**
 * Queue ids in Postfix's long form (reference 1.4): seconds and microseconds in base 52, `z`, then a part of base 51.
 * Postfix puts the inode there; here it is a random number of the process, so that ids are unique without a round trip.
 */

const BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
/** Without `z`, which separates the parts. */
const BASE51 = BASE52.slice(0, 51);
/** Six digits of base 52 hold every second until the year 2590. */
const SECONDS_DIGITS = 6;
const MICROSECONDS_DIGITS = 4;

export const QUEUE_ID =
  /^[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{10,16}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,12}$/;

/** Makes ids that never repeat within a process, and between processes only if 40 random bits and a microsecond agree. */
export function queueIdSource(now: () => number = Date.now, process = randomPart()): () => string {
  const tail = "z" + encode(process, BASE51, 1);
  let last = 0;
  return () => {
    last = Math.max(last + 1, now() * 1000);
    const seconds = Math.floor(last / 1e6);
    return encode(seconds, BASE52, SECONDS_DIGITS) +
      encode(last % 1e6, BASE52, MICROSECONDS_DIGITS) + tail;
  };
}

function randomPart(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! & 0xff) * 2 ** 32 + low!;
}

function encode(value: number, alphabet: string, digits: number): string {
  let text = "";
  for (
    let rest = value;
    rest > 0 || text.length < digits;
    rest = Math.floor(rest / alphabet.length)
  ) {
    text = alphabet[rest % alphabet.length] + text;
  }
  return text;
}
