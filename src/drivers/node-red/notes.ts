import type { Hello } from './addon-client.ts';
import type { NodeRedClient } from './client.ts';
import { missingTypes } from './observe.ts';
import { titleOf } from './raw.ts';

/** What a person should know of a server, besides its objects: why nothing runs there, and what is missing. */
export async function notesOf(
  client: NodeRedClient,
  hello: Hello | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [snapshot, types] = await Promise.all([client.flows(signal), client.types(signal)]);
  const missing = [...missingTypes(snapshot, types.usable)].map(
    ([type, node]) =>
      `No flow runs there: node "${titleOf(node)}" is of type ${type}, which is not installed. Install it, or delete the node.`,
  );
  const state = await client.state(signal);
  return [
    ...missing,
    ...(state === 'start' ? [] : [`The flows are not started there (${state}).`]),
    ...(hello === undefined
      ? ["Plumbline's add-on is not installed: no executions, no access, no names of who changed what."]
      : []),
  ];
}
