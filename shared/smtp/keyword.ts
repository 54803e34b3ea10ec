/** Verbs and keywords of SMTP, which are ASCII and known in any case (RFC 5321 2.4). */

/** In capitals. `ſ` and `ı`, whose capitals are S and I, stay as they are: to other servers they are no letters of a command. */
export function upperCase(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}
