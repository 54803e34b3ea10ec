/** How much these tests try: `deno task test:crash` asks for all of it, a test run has a short form. */

const isLong = Deno.env.get("POSTERN_CRASH") === "long";

/** Of what is tried at many places, every one or every second is. */
export const STRIDE = isLong ? 1 : 2;
/** Whether everything is killed at once, too, where a role is killed alone. */
export const KILLS_ALL = isLong;
