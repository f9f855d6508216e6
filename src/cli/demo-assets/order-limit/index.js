// A validation plugin: an order beyond the limit never reaches the platform. The limit is the Plugin's own setting.

class ValidationError extends Error {
  name = 'ValidationError';
}

/** Asked with the input of a workflow before it is run; what it throws as a ValidationError is the answer to whoever asked. */
export function execute(context) {
  const { input, settings } = context;
  const limit = settings.limit ?? 10_000;
  const amount = input?.amount;
  if (typeof amount !== 'number' || !Number.isFinite(amount))
    throw new ValidationError('the amount is missing or no number');
  if (amount > limit) throw new ValidationError(`the amount ${amount} exceeds the limit of ${limit}`);
  return context;
}
