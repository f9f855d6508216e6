/** Events that came in and what is to become of each: see bus.ts. */
export const BUS = 'SELECT 1;';
