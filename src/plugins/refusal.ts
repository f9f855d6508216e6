import { z } from 'zod';
import type { ReconcilerError } from '../errors.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import { pluginError, wordsOf } from './plugin-error.ts';
import type { Verdict } from './plugin-pool.ts';

/** What one plugin has against something. */
export interface PluginRefusal {
  readonly plugin: string;
  /** What it refuses and why, one sentence. */
  readonly message: string;
  readonly remedy: string;
  /** The object concerned, where changes were asked about; absent when the plugin refuses all that it was asked about. */
  readonly key?: string;
  /** Set when the plugin did not judge but failed: nothing passes that it should have seen. */
  readonly error?: ReconcilerError;
}

const Refusals = z.strictObject({
  refusals: z
    .array(z.strictObject({ key: z.string().optional(), message: z.string().min(1), remedy: z.string().optional() }))
    .max(10_000)
    .optional(),
});

/**
 * What a plugin's verdict on a validation refuses; nothing when it has no objection.
 * @param redact takes secrets out of what the plugin says
 * @throws ReconcilerError `plugin-malformed`
 */
export function refusalsOf(plugin: string, verdict: Verdict, redact: (text: string) => string): PluginRefusal[] {
  const remedy = `Correct it as the plugin ${plugin} says.`;
  if ('refused' in verdict) return [{ plugin, message: `${said(plugin, verdict.refused)}.`, remedy }];
  const parsed = Refusals.safeParse(verdict.result satisfies JsonValue);
  if (!parsed.success) throw pluginError(plugin, 'plugin-malformed', 'gave an answer that is not its context');
  return (parsed.data.refusals ?? []).map((one) => ({
    plugin,
    message: `${said(plugin, wordsOf(redact(one.message)))}.`,
    remedy: one.remedy === undefined ? remedy : `${wordsOf(redact(one.remedy))}.`,
    ...(one.key === undefined ? {} : { key: one.key }),
  }));
}

function said(plugin: string, words: string): string {
  return `the plugin ${plugin} refuses it: ${words}`;
}

/** Fail closed: a plugin that cannot be asked refuses. */
export function failureOf(plugin: string, error: ReconcilerError): PluginRefusal {
  return {
    plugin,
    message: `it has to be checked by a plugin that cannot tell: ${error.message}`,
    remedy: error.remedy ?? 'Mend the plugin.',
    error,
  };
}
