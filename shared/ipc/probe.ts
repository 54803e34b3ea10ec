/** Whether somebody answers at a unix socket, before there is anything to ask. */

/** `denied`: somebody may, but not us. */
export async function probe(path: string): Promise<"up" | "down" | "denied"> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return "up";
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied ? "denied" : "down";
  }
}
