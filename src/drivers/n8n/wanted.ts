import type { JsonObject } from '../../manifest/manifest.ts';
import type { Marker } from '../../plan/types.ts';
import type { Step } from '../driver.ts';
import type { Wanted } from './compose.ts';
import { credentialsOf, locatorsOf, spellings } from './locators.ts';
import type { Locator } from './locators.ts';
import { objectOf } from './shapes.ts';
import type { Writing } from './writing.ts';

/** What a step wants, with all it refers to looked up; whether some of that is yet to come is noted. */
export async function wantedOf(
  step: Step,
  spec: JsonObject,
  { catalogue, signal, titles, late }: Writing,
): Promise<Wanted> {
  const definition = objectOf(spec['definition']);
  const locators = locatorsOf(definition);
  if (credentialsOf(definition).length > 0) await catalogue.needCredentials(signal);
  await catalogue.need(locators, signal);
  const isToCome = ({ target, name }: Locator): boolean =>
    target === 'Workflow' &&
    name !== undefined &&
    spellings(name).some((spelling) => titles.has(spelling)) &&
    catalogue.find(target, name, step.owner).length !== 1;
  if (locators.some(isToCome)) late.add(step);
  return { spec, owner: step.owner, marker: markerOf(step), catalogue };
}

/** With the object's own id wherever it is known, so that a copy gives itself away. */
function markerOf({ change, marker }: Step): Marker | undefined {
  if (marker === undefined || !('remote' in change)) return marker;
  return { ...marker, remote: change.remote.id };
}
