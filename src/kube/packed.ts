import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { KubeObject } from './object.ts';

/** Quick rather than small, and little memory while it runs: an object is packed whenever its spec is another one. */
const SETTINGS = { level: 1, memLevel: 5, windowBits: 13 };
/** What kubectl writes down of the whole object, for itself. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

const packs = new WeakMap<KubeObject, Uint8Array>();

/**
 * An object as it is kept where there are many: without `managedFields` and kubectl's copy of it, and with its `spec` in a tenth of the room,
 * unpacked whenever somebody reads it. `before`: the same object in an earlier state, whose spec is taken over where it is the same.
 */
export function packed(object: KubeObject, before?: KubeObject): KubeObject {
  const { spec, metadata, ...rest } = object;
  const bytes = isSameSpec(object, before) ? packs.get(before) : undefined;
  const kept: KubeObject = { ...rest, metadata: trimmed(metadata) };
  if (spec === undefined) return kept;
  // A copy with memory of its own: what the compressor gives, and what Buffer.from does, are pieces of larger buffers, which would be kept whole.
  const pack = bytes ?? new Uint8Array(deflateRawSync(JSON.stringify(spec), SETTINGS));
  Object.defineProperty(kept, 'spec', {
    enumerable: true,
    get: (): unknown => JSON.parse(inflateRawSync(pack, { windowBits: SETTINGS.windowBits }).toString()),
  });
  packs.set(kept, pack);
  return kept;
}

/** The API server counts the generations of a spec; a status, or a label, leaves it as it is. */
function isSameSpec({ metadata }: KubeObject, before: KubeObject | undefined): before is KubeObject {
  const former = before?.metadata;
  return (
    former?.uid !== undefined &&
    former.uid === metadata.uid &&
    former.generation !== undefined &&
    former.generation === metadata.generation
  );
}

function trimmed(metadata: KubeObject['metadata']): KubeObject['metadata'] {
  const kept: Record<string, unknown> = { ...metadata };
  delete kept['managedFields'];
  const { annotations } = metadata;
  if (annotations?.[LAST_APPLIED] !== undefined) {
    const { [LAST_APPLIED]: _, ...others } = annotations;
    kept['annotations'] = others;
  }
  return kept as unknown as KubeObject['metadata'];
}
