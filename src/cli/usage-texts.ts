/** Words that several commands' flags share. */

/** `--format` of listings. */
export const listFormatUsage: string = `How to print:
'table':            a table with headers (default)
'table TEMPLATE':   a table whose rows are a Go template
'json':             one JSON object per line
'TEMPLATE':         a Go template`;

/** `--format` of inspect commands. */
export const inspectFormatUsage: string = `How to print:
'json':             JSON in one line
'TEMPLATE':         a Go template`;
