// Keeps the customers of a shop in a CRM. Plumbline asks for what has changed, page by page, checks each record, and hands the
// good ones back to be delivered; a record may come twice, so that it is put, not added.
const PAGE = 100;

export async function execute(context) {
  return context.about === 'collect' ? collect(context) : deliver(context);
}

async function collect(context) {
  const { shop } = context.settings;
  const response = await fetch(`${shop}/customers?after=${context.cursor ?? 0}&limit=${PAGE}`);
  if (!response.ok) throw new Error(`the shop answered ${response.status}`);
  const { customers, next, more } = await response.json();
  const records = customers.map(({ changedAt, ...data }) => ({ key: String(data.id), changedAt, data }));
  return { ...context, records, cursor: next, more };
}

async function deliver(context) {
  const { settings, secrets, records } = context;
  const failed = [];
  for (const { id, key, data } of records) {
    const response = await fetch(`${settings.crm}/people/${encodeURIComponent(key)}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${secrets.token}` },
      body: JSON.stringify(data),
    });
    // What the CRM refuses today it refuses tomorrow; only its own failures are worth another try.
    if (!response.ok)
      failed.push({ id, message: `the CRM answered ${response.status}`, retry: response.status >= 500 });
  }
  return { ...context, failed };
}
