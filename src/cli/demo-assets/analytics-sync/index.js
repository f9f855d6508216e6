// Counts every run of a workflow in analytics: the event that it runs on is the record.
export async function execute(context) {
  return context.about === 'collect' ? collect(context) : deliver(context);
}

function collect(context) {
  const { event } = context.trigger;
  if (event === undefined) return { ...context, records: [] };
  const { workflow, milliseconds } = event.data;
  const data = { workflow, outcome: event.type, milliseconds };
  return { ...context, records: [{ key: event.id, changedAt: event.time, data }] };
}

async function deliver(context) {
  const failed = [];
  for (const { id, key, data } of context.records) {
    const response = await fetch(`${context.settings.analytics}/events/${encodeURIComponent(key)}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(data),
    });
    if (!response.ok) failed.push({ id, message: `analytics answered ${response.status}` });
  }
  return { ...context, failed };
}
