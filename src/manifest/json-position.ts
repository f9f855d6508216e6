// Control characters are what JSON forbids inside a text.
// oxlint-disable no-control-regex
const SPACE = /[ \t\r\n]*/y;
const SCALAR =
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const NAME = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/**
 * Offset of the first thing in a text that is not JSON; the text's length when it ends too early, undefined when it is
 * JSON. The runtime's own message quotes the text around it, which may be a secret, and often gives no position.
 */
export function jsonErrorOffset(text: string): number | undefined {
  const stack: ('{' | '[')[] = [];
  let offset = 0;
  let expects: 'value' | 'value or ]' | 'name' | 'name or }' | 'comma' = 'value';
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = offset;
    if (!pattern.test(text)) return false;
    offset = pattern.lastIndex;
    return true;
  };
  const leave = (): void => {
    stack.pop();
    offset += 1;
    expects = 'comma';
  };
  for (;;) {
    take(SPACE);
    const next = text[offset];
    if (expects === 'comma' && stack.length === 0) return next === undefined ? undefined : offset;
    if (expects === 'comma') {
      const open = stack.at(-1);
      if (next === (open === '{' ? '}' : ']')) leave();
      else if (next === ',') {
        offset += 1;
        expects = open === '{' ? 'name' : 'value';
      } else return offset;
    } else if (expects === 'name' || expects === 'name or }') {
      if (next === '}' && expects === 'name or }') leave();
      else {
        if (!take(NAME)) return offset;
        take(SPACE);
        if (text[offset] !== ':') return offset;
        offset += 1;
        expects = 'value';
      }
    } else if (next === ']' && expects === 'value or ]') leave();
    else if (next === '{' || next === '[') {
      stack.push(next);
      offset += 1;
      expects = next === '{' ? 'name or }' : 'value or ]';
    } else if (take(SCALAR)) expects = 'comma';
    else return offset;
  }
}
