/** Shortest value, and shortest form of one, that is replaced: shorter ones occur in innocent text all the time. */
export const SHORTEST = 4;
/** Lines of a multi-line secret are replaced one by one from this length on. */
const SHORTEST_LINE = 8;
/** Shortest piece of base64 that is taken for part of a longer encoded text. */
const SHORTEST_CORE = 10;

/** The ways in which a secret appears in texts: itself, its lines, and what each becomes in URLs, headers and JSON. */
export function formsOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/);
  const parts = lines.length === 1 ? [value] : [value, ...lines.map((line) => line.trim())].filter(isLongEnough);
  const forms = new Set(parts.flatMap(encodings));
  return [...forms].filter((form) => form.length >= SHORTEST);
}

function isLongEnough(part: string, index: number): boolean {
  return index === 0 || part.length >= SHORTEST_LINE;
}

function encodings(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  const percent = encodeURIComponent(text.toWellFormed());
  const form = new URLSearchParams({ v: text }).toString().slice(2);
  const json = JSON.stringify(text).slice(1, -1);
  return [
    text,
    percent,
    lowerHex(percent),
    form,
    lowerHex(form),
    json,
    JSON.stringify(json).slice(1, -1),
    asciiOnly(json),
    ...base64(bytes),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
  ];
}

/** Also where it stands inside a longer encoded text (`user:password`), at each of three alignments, without the border characters that others share. */
function base64(bytes: Buffer): readonly string[] {
  const whole = bytes.toString('base64');
  const inside = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const complete = Math.floor(((offset + bytes.length) * 8) / 6);
    return encoded.slice(Math.ceil((offset * 8) / 6), complete);
  });
  const forms = [whole, whole.replaceAll('=', ''), ...inside.filter((core) => core.length >= SHORTEST_CORE)];
  return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}

function lowerHex(percentEncoded: string): string {
  return percentEncoded.replaceAll(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase());
}

function asciiOnly(json: string): string {
  return json.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
