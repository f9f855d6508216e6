import type { OutputValue, Outputs } from '../manifest/output-reference.ts';

/** What `webhookUrl` and `webhookUrl.*` say, in the words of the platform. */
export function webhookNames(url: string, entry: string): Readonly<Record<string, string>> {
  return {
    webhookUrl: `${url} of its only ${entry} with a fixed path`,
    'webhookUrl.*': `${url} of the ${entry} of that name, or of that path where it has none`,
  };
}

/** An entry of a workflow that is called by HTTP, under every word that it may be asked for by. */
export interface NamedUrl {
  readonly words: readonly string[];
  readonly url: OutputValue;
}

/** `webhookUrl` where there is one entry, and one `webhookUrl.<word>` for each word that means only one. */
export function webhookUrls(entries: readonly NamedUrl[]): Outputs {
  const byWord = new Map<string, OutputValue[]>();
  for (const { words, url } of entries)
    for (const word of new Set(words)) byWord.set(word, [...(byWord.get(word) ?? []), url]);
  const [first, ...others] = entries;
  const named = [...byWord].flatMap(([word, [url, ...more]]) =>
    url === undefined || more.length > 0 ? [] : [[`webhookUrl.${word}`, url] as const],
  );
  return {
    ...(first === undefined || others.length > 0 ? {} : { webhookUrl: first.url }),
    ...Object.fromEntries(named),
  };
}

/** A URL below a base, whatever path the base has; `path` is encoded and begins with no slash. */
export function below(base: string, path: string): string {
  const url = new URL(base);
  [url.username, url.password, url.search, url.hash] = ['', '', '', ''];
  return `${url.href.replace(/\/+$/, '')}/${path}`;
}
