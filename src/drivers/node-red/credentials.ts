import { type RawNode, isObject, titleOf } from './raw.ts';

/** Entries that carry secrets in the text, which must never be in a repository. */
export function credentialProblems(
  entries: readonly RawNode[],
): readonly { readonly message: string; readonly remedy: string }[] {
  return entries
    .filter((entry) => isObject(entry['credentials']) && Object.keys(entry['credentials']).length > 0)
    .map((entry) => ({
      message: `The ${entry.type} node "${titleOf(entry)}" (${entry.id}) has its credentials written in the file.`,
      remedy: 'Remove "credentials", change the secret, and name it under spec.secrets of an Integration.',
    }));
}
