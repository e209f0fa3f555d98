/** The fields of one line of CSV (RFC 4180), as options with several values use it. Throws an Error in Go's words. */
export function parseCsvLine(text: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const match = /"((?:[^"]|"")*)"/y;
      match.lastIndex = at;
      const quoted = match.exec(text);
      if (quoted === null) {
        throw new Error(
          `parse error on line 1, column ${text.length + 1}: extraneous or missing " in quoted-field`,
        );
      }
      fields.push((quoted[1] ?? '').replaceAll('""', '"'));
      at += quoted[0].length;
      if (at < text.length && text[at] !== ',') {
        throw new Error(`parse error on line 1, column ${at}: extraneous or missing " in quoted-field`);
      }
    } else {
      const end = text.indexOf(',', at);
      const field = text.slice(at, end < 0 ? undefined : end);
      if (field.includes('"')) {
        throw new Error(
          `parse error on line 1, column ${at + field.indexOf('"') + 1}: bare " in non-quoted-field`,
        );
      }
      fields.push(field);
      at += field.length;
    }
    if (at >= text.length) return fields;
    at += 1;
  }
}
