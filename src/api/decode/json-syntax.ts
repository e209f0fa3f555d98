/** What is wrong with a text that is no JSON, in the words of Go, which clients of Docker know. */
export function jsonSyntaxProblem(text: string, error: SyntaxError): string {
  const { message } = error;
  if (text.trim() === '' || /end of JSON input|Unterminated/.test(message))
    return 'unexpected end of JSON input';
  const after = /after JSON at position (\d+)/.exec(message)?.[1];
  if (after !== undefined) return `invalid character ${quoted(text[Number(after)])} after top-level value`;
  const token = /Unexpected token '(.*?)', /s.exec(message)?.[1];
  return token === undefined
    ? 'invalid JSON'
    : `invalid character ${quoted(token)} looking for beginning of value`;
}

function quoted(character: string = ''): string {
  return character === "'" ? "'\\''" : `'${character}'`;
}
