import { ReconcilerError } from '../errors.ts';
import { KINDS, type Key } from '../manifest/manifest.ts';
import { didYouMean } from '../manifest/suggest.ts';

/**
 * An object as people name it on the command line.
 * @throws ReconcilerError 'never' when it is not KIND/NAME.
 */
export function objectKey(text: string): Key {
  const [kind = '', name = '', ...rest] = text.split('/');
  if (name === '' || rest.length > 0) {
    throw new ReconcilerError(`"${text}" is not an object`, 'never', {
      remedy: 'Write KIND/NAME, such as Workflow/order-fulfillment.',
    });
  }
  if ((KINDS as readonly string[]).includes(kind)) return text as Key;
  throw new ReconcilerError(`"${text}" is not an object: there is no kind "${kind}"`, 'never', {
    remedy: didYouMean(kind, KINDS, `Kinds are ${KINDS.join(', ')}.`),
  });
}

/** For options that may be repeated. */
export function objectKeys(text: string, before: readonly Key[]): readonly Key[] {
  return [...before, objectKey(text)];
}

/**
 * How many lines are wanted.
 * @throws ReconcilerError 'never' when it is not a whole number from 1 to 5000.
 */
export function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 5000) return number;
  throw new ReconcilerError(`"${text}" is not a number of lines`, 'never', {
    remedy: 'Write a number from 1 to 5000.',
  });
}
