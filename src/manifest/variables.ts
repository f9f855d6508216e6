import type { JsonValue } from './manifest.ts';
import { didYouMean } from './suggest.ts';

/** A `${name}` that has no value, at the JSON pointer of its text. */
export interface UndefinedVariable {
  readonly pointer: string;
  readonly message: string;
  readonly remedy: string;
}

/**
 * Replaces `${name}` in every text of a JSON value; `$${` stands for a plain `${`. Values are not looked at again, and a
 * text that is nothing but `${name}` stays a text. Names of fields, and what stands at `skip`, are left as they are.
 */
export function substitute(
  value: JsonValue,
  variables: Readonly<Record<string, string>>,
  undefinedVariables: UndefinedVariable[],
  skip?: string,
): JsonValue {
  const walk = (inner: JsonValue, pointer: string): JsonValue => {
    if (typeof inner === 'string') return inner.includes('${') ? replace(inner, pointer) : inner;
    if (inner === null || typeof inner !== 'object' || pointer === skip) return inner;
    if (Array.isArray(inner)) return inner.map((item: JsonValue, index) => walk(item, `${pointer}/${index}`));
    return Object.fromEntries(
      Object.entries(inner).map(([name, item]) => [
        name,
        walk(item, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
      ]),
    );
  };
  const replace = (text: string, pointer: string): string =>
    text.replaceAll(/\$\$\{|\$\{([^{}]*)\}/g, (whole: string, name: string | undefined) => {
      if (name === undefined) return '${';
      if (Object.hasOwn(variables, name)) return variables[name] ?? '';
      const known = Object.keys(variables);
      const otherwise =
        known.length === 0 ? 'Define it under spec.variables of the Sync.' : `Defined are ${known.join(', ')}.`;
      undefinedVariables.push({
        pointer,
        message: `uses the variable "${name}", which is not defined`,
        remedy: `${didYouMean(name, known, otherwise)} Write $\${ for a plain \${.`,
      });
      return whole;
    });
  return walk(value, '');
}
