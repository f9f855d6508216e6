import type { JsonValue } from './manifest.ts';
import { marked, referenceFlaw } from './output-reference.ts';
import { didYouMean } from './suggest.ts';

/** A `${…}` that cannot be replaced, at the JSON pointer of its text. */
export interface UndefinedVariable {
  readonly pointer: string;
  readonly message: string;
  readonly remedy: string;
}

export interface Substitution {
  readonly variables: Readonly<Record<string, string>>;
  /** JSON pointer of what is left as it is. */
  readonly skip?: string;
  /** Beginnings of JSON pointers below which `${ref:…}` may stand; everywhere when absent. */
  readonly refersBelow?: readonly string[];
  /** Told of what cannot be replaced. */
  readonly undefinedVariables: UndefinedVariable[];
  /** Told of every reference to an output, by its text. */
  readonly references: { readonly pointer: string; readonly text: string }[];
}

const REFERENCE = 'ref:';

/**
 * Replaces `${name}` in every text of a JSON value, and marks `${ref:…}`, whose value is known later; `$${` stands for a plain
 * `${`. Values are not looked at again, and a text that is nothing but `${name}` stays a text. Names of fields, and what
 * stands at `skip`, are left as they are.
 */
export function substitute(value: JsonValue, substitution: Substitution): JsonValue {
  const { variables, skip } = substitution;
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
      if (name.startsWith(REFERENCE)) return refer(name.slice(REFERENCE.length), pointer, substitution) ?? whole;
      if (Object.hasOwn(variables, name)) return variables[name] ?? '';
      substitution.undefinedVariables.push({ pointer, ...undefinedVariable(name, Object.keys(variables)) });
      return whole;
    });
  return walk(value, '');
}

function refer(text: string, pointer: string, substitution: Substitution): string | undefined {
  const { refersBelow, references, undefinedVariables } = substitution;
  const flaw =
    refersBelow === undefined || refersBelow.some((prefix) => pointer.startsWith(prefix))
      ? referenceFlaw(text)
      : {
          message: `the reference "ref:${text}" cannot stand here`,
          remedy: 'References to outputs stand in the spec of a manifest.',
        };
  if (flaw === undefined) {
    references.push({ pointer, text });
    return marked(text);
  }
  undefinedVariables.push({ pointer, message: flaw.message, remedy: `${flaw.remedy} Write $\${ for a plain \${.` });
  return undefined;
}

function undefinedVariable(name: string, known: readonly string[]): { message: string; remedy: string } {
  const otherwise =
    known.length === 0 ? 'Define it under spec.variables of the Sync.' : `Defined are ${known.join(', ')}.`;
  return {
    message: `uses the variable "${name}", which is not defined`,
    remedy: `${didYouMean(name, known, otherwise)} Write $\${ for a plain \${.`,
  };
}
