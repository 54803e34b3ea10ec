/** Verbs and keywords of SMTP (RFC 5321 2.4), names of DNS (RFC 4343) and words of main.cf: ASCII, known in any case. */

/** In capitals. `ſ` and `ı`, whose capitals are S and I, stay as they are: to other servers they are no letters of a command. */
export function upperCase(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

/** In small letters; the Kelvin sign, whose small letter is k, stays as it is. */
export function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
