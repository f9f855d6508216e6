/** Flows in one request, and characters of it: servers take 1 MiB unless told otherwise. */
const BATCH = { flows: 100, characters: 700_000 };

/** Parts of a list that fit into one request each, in its order; each as soon as it is full. */
export async function* batched<Work extends { readonly size: number }>(
  works: AsyncIterable<Work>,
): AsyncGenerator<readonly Work[]> {
  let batch: Work[] = [];
  let size = 0;
  for await (const work of works) {
    if (batch.length > 0 && (batch.length >= BATCH.flows || size + work.size > BATCH.characters)) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(work);
    size += work.size;
  }
  if (batch.length > 0) yield batch;
}
