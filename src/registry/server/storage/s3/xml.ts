/**
 * The texts of all elements called `name` in what S3 answers, in order, also of elements within others. S3's answers are flat
 * lists without attributes that matter, comments or CDATA, so this is all that is needed of XML. Time is linear.
 */
export function elements(xml: string, name: string): string[] {
  const found: string[] = [];
  const close = `</${name}>`;
  for (let at = 0; ; ) {
    const open = xml.indexOf(`<${name}`, at);
    if (open < 0) return found;
    const start = xml.indexOf('>', open) + 1;
    const end = xml.indexOf(close, start);
    const after = xml[open + name.length + 1];
    if (start === 0) return found;
    if (after === '>' || after === ' ') {
      if (end < 0) return found;
      found.push(xml.slice(start, end));
      at = end + close.length;
    } else at = open + 1;
  }
}

/** The text of the first such element, with its entities decoded. */
export function elementText(xml: string, name: string): string | undefined {
  const [text] = elements(xml, name);
  return text === undefined ? undefined : decodeEntities(text);
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]{1,6}|#\d{1,7}|[a-z]{2,4});/g, (all, entity: string) => {
    if (!entity.startsWith('#')) return entities[entity] ?? all;
    const code = entity.startsWith('#x') ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}

/** The text as it stands in an element. */
export function encodeEntities(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
