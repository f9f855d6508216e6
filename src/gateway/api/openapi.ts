import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { Route } from './route.ts';
import { ErrorBody } from './shapes.ts';

type Schemas = Record<string, JsonValue>;

/** What every route may answer, whatever it does. */
const REFUSALS: Readonly<Record<string, string>> = {
  '400': 'The request is not in order.',
  '401': 'There is no valid token with it.',
  '403': 'The token has not the scope that this needs; the message names it.',
  '404': 'There is nothing of that name, or nothing that the token may see.',
  '413': 'The body is too large.',
  '415': 'The body is not said to be JSON.',
  '422': 'It cannot be done as asked; the message says why.',
  '429': 'Too often; Retry-After says when again.',
  '500': 'Something is wrong here; the log says what.',
  '503': 'It cannot be done now; it may be later.',
};

const MEANINGS: Readonly<Record<string, string>> = {
  '200': 'Done.',
  '201': 'Made.',
  '202': 'Taken; it goes on by itself.',
  '204': 'Done; there is nothing to say.',
  '409': 'It is not in a state in which this can be done; the message says what to do.',
  '502': 'The platform refused, or did not say whether it did it; the code says which.',
};

/** The OpenAPI 3.1 document of the routes, made from the schemas that check their requests. */
export function openApi(routes: readonly Route[], version: string): JsonObject {
  const schemas: Schemas = {};
  const paths: Record<string, Record<string, JsonValue>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route, schemas);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Plumbline',
      version,
      description:
        'Run workflows that git governs, see what became of them, and ask Plumbline what its command line asks.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/api/v1' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'plb_…, or the token in the state directory.' },
      },
      schemas,
    },
  };
}

function operation(route: Route, schemas: Schemas): JsonObject {
  const { id, summary, description, body } = route;
  const parameters = [
    ...parametersOf(route.params, 'path'),
    ...parametersOf(route.query, 'query'),
    ...parametersOf(route.headers, 'header'),
  ];
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { content: json(schemaOf(body, 'input', schemas)) } }),
    responses: responsesOf(route, schemas),
  };
}

function parametersOf(object: z.ZodObject | undefined, place: 'path' | 'query' | 'header'): readonly JsonObject[] {
  return Object.entries(object?.shape ?? {}).map(([name, field]) => {
    const { description, ...schema } = converted(field as z.ZodType, 'input');
    const required = place === 'path' || !(field as z.ZodType).safeParse(undefined).success;
    return { name, in: place, required, ...(description === undefined ? {} : { description }), schema };
  });
}

function responsesOf({ answers }: Route, schemas: Schemas): JsonObject {
  const error = json(schemaOf(ErrorBody, 'output', schemas));
  const refusals = Object.entries(REFUSALS).map(([status, description]) => [status, { description, content: error }]);
  const own = Object.entries(answers).map(([status, schema]) => {
    const description = MEANINGS[status] ?? REFUSALS[status] ?? '';
    return [status, { description, ...(schema && { content: json(schemaOf(schema, 'output', schemas)) }) }];
  });
  return Object.fromEntries([...refusals, ...own]) as JsonObject;
}

function json(schema: JsonObject): JsonObject {
  return { 'application/json': { schema } };
}

/** Schemas that have a name (`meta({id})`) stand among the components, once, and are referred to. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: Schemas): JsonObject {
  const { $defs = {}, ...own } = converted(schema, io);
  for (const [name, definition] of Object.entries($defs as Schemas)) schemas[name] ??= inComponents(definition);
  return inComponents(own);
}

function converted(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
  }) as unknown as JsonObject;
  return rest;
}

/** References point where components are. */
function inComponents<Value extends JsonValue>(value: Value): Value {
  return JSON.parse(JSON.stringify(value), (name, inner: unknown) =>
    name === '$ref' && typeof inner === 'string' ? inner.replace('#/$defs/', '#/components/schemas/') : inner,
  ) as Value;
}
