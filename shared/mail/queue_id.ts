/**
 * Queue ids in Postfix's long form (reference 1.4): seconds, microseconds, `z`, then a part that makes it unique. All
 * digits are of base 51: log parsers expect no `z` but the separator. Postfix puts the inode last; here it is a random
 * number of the process, so that ids are unique without a round trip.
 */

const BASE51 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy";
/** Six digits of base 51 hold every second until the year 2527. */
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
    return timePart(last) + tail;
  };
}

/** The queue id of something that has a time and a number of its own: the same one whenever it is asked for. */
export function queueIdOf(microseconds: number, unique: number): string {
  return `${timePart(microseconds)}z${encode(unique, BASE51, 1)}`;
}

function timePart(microseconds: number): string {
  return encode(Math.floor(microseconds / 1e6), BASE51, SECONDS_DIGITS) +
    encode(microseconds % 1e6, BASE51, MICROSECONDS_DIGITS);
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
