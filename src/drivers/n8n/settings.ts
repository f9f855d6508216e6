import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { objectsOf } from './shapes.ts';

type Check = (value: JsonValue) => boolean;
const isBoolean: Check = (value) => typeof value === 'boolean';
const isNumber: Check = (value) => typeof value === 'number';
const isText: Check = (value) => typeof value === 'string' && value !== '';
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value);

/**
 * What the API takes in `settings` and keeps (its OpenAPI file, 2.40.5). It silently drops what a licence has to allow
 * (`redactionPolicy`, `credentialResolverId`) and what n8n derives by itself (`binaryMode`).
 */
const TAKEN: Readonly<Record<string, Check>> = {
  saveExecutionProgress: isBoolean,
  saveManualExecutions: isBoolean,
  saveDataErrorExecution: oneOf('all', 'none'),
  saveDataSuccessExecution: oneOf('all', 'none'),
  executionTimeout: isNumber,
  errorWorkflow: isText,
  timezone: isText,
  executionOrder: isText,
  callerPolicy: oneOf('any', 'none', 'workflowsFromAList', 'workflowsFromSameOwner'),
  callerIds: isText,
  timeSavedMode: oneOf('fixed', 'dynamic'),
  timeSavedPerExecution: isNumber,
  availableInMCP: isBoolean,
  customTelemetryTags: Array.isArray,
};

/** A write merges settings, so that nothing goes away by being left out; these values mean the same as none. */
const NEUTRAL: Readonly<Record<string, JsonValue>> = {
  saveExecutionProgress: false,
  saveManualExecutions: true,
  saveDataErrorExecution: 'all',
  saveDataSuccessExecution: 'all',
  executionTimeout: -1,
  errorWorkflow: 'DEFAULT',
  timezone: 'DEFAULT',
  executionOrder: 'v0',
  callerPolicy: 'workflowsFromSameOwner',
  callerIds: '',
  timeSavedMode: 'fixed',
  timeSavedPerExecution: 0,
  availableInMCP: false,
  customTelemetryTags: [],
};

/** Key of the custom telemetry tag that carries Plumbline's note; everything else there belongs to people. */
export const NOTE_KEY = 'plumbline';

/** The settings that n8n takes, and the names of those it would refuse. `DEFAULT`, which it shows and refuses, means none. */
export function cleanSettings(settings: JsonObject): {
  readonly settings: JsonObject;
  readonly dropped: readonly string[];
} {
  const dropped: string[] = [];
  const kept: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(settings)) {
    if (name === 'customTelemetryTags') {
      const theirs = peoplesTags(value);
      if (theirs.length > 0) kept[name] = theirs;
    } else if (value === null || value === 'DEFAULT' || value === '' || (name === 'executionTimeout' && value === -1))
      continue;
    else if (TAKEN[name]?.(value) === true) kept[name] = value;
    else dropped.push(name);
  }
  return { settings: kept, dropped };
}

/** Telemetry tags that are not ours. */
export function peoplesTags(value: JsonValue | undefined): readonly JsonObject[] {
  return objectsOf(value).filter(
    ({ key, value: text }) => typeof key === 'string' && typeof text === 'string' && key !== NOTE_KEY,
  );
}

/** Whether a setting that git does not name says no more than its absence would. */
export function isNeutral(name: string, value: JsonValue): boolean {
  return NEUTRAL[name] === value;
}

/** What to send so that the settings become those wanted, given those that stand there. */
export function settingsToSend(wanted: JsonObject, present: JsonObject | null): JsonObject {
  const cleared = Object.entries(isObject(present) ? present : {}).flatMap(([name, value]) => {
    const neutral = NEUTRAL[name];
    return name in wanted || neutral === undefined || neutral === value ? [] : [[name, neutral] as const];
  });
  return { ...Object.fromEntries(cleared), ...wanted };
}
