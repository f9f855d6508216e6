import { formatOrigin, formatProblem, sentences } from '../errors.ts';
import type { PassJson } from '../daemon/pass-json.ts';
import type { Colors } from './context.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import type { Change, FieldDiff, Notice, Plan, Verb, Withheld } from '../plan/types.ts';

const SIGN: Record<Verb, string> = { create: '+', update: '~', adopt: '@', release: '>', delete: '-' };
const WHY: Record<Change['cause'], string> = {
  new: 'new in git',
  changed: 'changed in git',
  renamed: 'renamed in git',
  drift: 'changed on the platform',
  vanished: 'gone from the platform',
  secret: 'secret to be written',
  marker: 'marker to be set',
  adoption: 'taken over',
  removed: 'no longer in git',
  released: 'let go of',
};

/** A plan for people: what would be done and why, what waits and why, and the counts. */
export function planText(pass: PassJson, colours: Colors): string {
  const lines = [heading(pass, colours)];
  for (const problem of pass.problems) {
    lines.push((problem.severity === 'error' ? colours.red : colours.yellow)(formatProblem(problem)));
  }
  if (pass.stale !== undefined)
    lines.push(colours.yellow(`The source is stale: ${pass.stale.reason} ${pass.stale.remedy}`));
  if (pass.error !== undefined) lines.push(colours.red(sentences(pass.error)));
  const { plan } = pass;
  if (plan === undefined) return lines.join('\n');
  for (const change of plan.stages.flat()) lines.push(...changeText(change, colours));
  for (const withheld of plan.withheld) lines.push(...withheldText(withheld, colours));
  for (const notice of plan.notices) lines.push(...noticeText(notice, colours));
  lines.push('', summary(plan, pass.problems.length));
  return lines.join('\n');
}

/** Only changes and their fields. */
export function differencesText(changes: readonly Change[], colours: Colors): string {
  if (changes.length === 0) return 'No differences.';
  return changes.flatMap((change) => changeText(change, colours)).join('\n');
}

function heading(pass: PassJson, colours: Colors): string {
  const author = pass.commit === undefined ? '' : `  ${pass.commit.author}: ${pass.commit.subject}`;
  return colours.bold(`${pass.sync} on ${pass.platform}  ${shortRevision(pass.revision)}`) + colours.dim(author);
}

/** The first ten digits of a commit id. */
export function shortRevision(revision: string | undefined): string {
  if (revision === undefined) return '(no revision)';
  return /^[0-9a-f]{40,}$/.test(revision) ? revision.slice(0, 10) : revision.slice(0, 20);
}

function changeText(change: Change, colours: Colors): string[] {
  const colour = {
    create: colours.green,
    update: colours.yellow,
    adopt: colours.cyan,
    release: colours.magenta,
    delete: colours.red,
  }[change.verb];
  const where = change.origin === undefined ? '' : colours.dim(`  ${formatOrigin(change.origin)}`);
  const who = change.verb === 'update' && change.who?.by !== undefined ? ` by ${change.who.by}` : '';
  const from = change.verb === 'update' && change.from !== undefined ? ` from ${change.from}` : '';
  const head = `  ${colour(`${SIGN[change.verb]} ${change.verb}`)} ${colours.bold(change.key)} "${change.title}"  ${WHY[change.cause]}${from}${who}${where}`;
  return [head, ...diffText(change, colours)];
}

function diffText(change: Change, colours: Colors): string[] {
  if (change.verb !== 'update' && change.verb !== 'adopt') return [];
  const more = change.moreFields > 0 ? [colours.dim(`      … and ${change.moreFields} more fields`)] : [];
  return [...change.diff.flatMap((field) => fieldText(field, colours)), ...more];
}

function fieldText(field: FieldDiff, colours: Colors): string[] {
  if (field.text !== undefined) {
    const lines = field.text.split('\n').filter((line) => line !== '');
    return [`      ${field.path}`, ...lines.map((line) => `        ${lineColour(line, colours)}`)];
  }
  const before = field.before === undefined ? colours.dim('(absent)') : colours.red(shown(field.before));
  const after = field.after === undefined ? colours.dim('(absent)') : colours.green(shown(field.after));
  return [`      ${field.path}: ${before} → ${after}`];
}

function lineColour(line: string, colours: Colors): string {
  if (line.startsWith('+')) return colours.green(line);
  if (line.startsWith('-')) return colours.red(line);
  return line.startsWith('@@') ? colours.cyan(line) : colours.dim(line);
}

function shown(value: JsonValue): string {
  return typeof value === 'string'
    ? JSON.stringify(value)
    : JSON.stringify(value, undefined, 1).replaceAll(/\s*\n\s*/g, ' ');
}

function withheldText({ change, code, because, remedy }: Withheld, colours: Colors): string[] {
  return [
    `  ${colours.yellow(`! withheld ${change.verb}`)} ${colours.bold(change.key)} "${change.title}"  ${colours.dim(`[${code}]`)}`,
    `      ${because}`,
    `      ${colours.dim(remedy)}`,
    ...diffText(change, colours),
  ];
}

function noticeText({ code, key, kind, title, origin, message, remedy }: Notice, colours: Colors): string[] {
  if (code === 'to-supply') {
    const where = origin === undefined ? '' : colours.dim(`  ${formatOrigin(origin)}`);
    const head = `  ${colours.cyan('i to supply')} ${colours.bold(key ?? kind)} "${title}"${where}`;
    return [head, `      ${message} ${colours.dim(remedy)}`];
  }
  return [`  ${colours.cyan('i notice')} ${kind} "${title}"`, `      ${message} ${colours.dim(remedy)}`];
}

function summary(plan: Plan, problems: number): string {
  const changes = plan.stages.flat();
  const count = (verb: Verb) => changes.filter((change) => change.verb === verb).length;
  if (changes.length === 0 && plan.withheld.length === 0 && problems === 0) {
    return `Nothing to do: ${plan.counts.desired} object(s) stand as git says.`;
  }
  const verbs = (['create', 'update', 'adopt', 'release', 'delete'] as const).map(
    (verb) => `${count(verb)} to ${verb}`,
  );
  return `Plan: ${verbs.join(', ')}; ${plan.withheld.length} withheld; ${problems} problem(s). Fingerprint ${plan.fingerprint}.`;
}

/** What an apply did, one line per change. */
export function outcomesText(pass: PassJson, colours: Colors): string {
  const lines = pass.outcomes.map((outcome) => {
    const archived = pass.archived[outcome.key];
    const kept = archived === undefined ? '' : colours.dim(`  (what was there before is archived as ${archived})`);
    if (outcome.status === 'applied') return `  ${colours.green('applied')} ${outcome.verb} ${outcome.key}${kept}`;
    if (outcome.status === 'skipped')
      return `  ${colours.yellow('skipped')} ${outcome.verb} ${outcome.key}: ${outcome.because ?? ''}`;
    return `  ${colours.red('failed')} ${outcome.verb} ${outcome.key}: ${outcome.error === undefined ? '' : sentences(outcome.error)}`;
  });
  for (const notice of pass.plan?.notices ?? [])
    if (notice.code === 'still-in-git') lines.push(...noticeText(notice, colours));
  if (pass.error !== undefined) lines.push(colours.red(sentences(pass.error)));
  const count = (status: string) => pass.outcomes.filter((outcome) => outcome.status === status).length;
  const withheld = pass.plan?.withheld.length ?? 0;
  lines.push(
    `${pass.sync} on ${pass.platform}: ${pass.result}; ${count('applied')} applied, ${count('failed')} failed, ${count('skipped')} skipped, ${withheld} withheld.`,
  );
  return lines.join('\n');
}
