import { DASHBOARDS } from './dashboard-list.ts';
import type { Dashboard, Panel } from './dashboard-list.ts';

/** Panels stand two in a row. */
const WIDTH = 12;
const HEIGHT = 8;

/** Dashboards for Grafana, by the name of their file without its ending; the data source is chosen where they are shown. */
export function dashboards(): ReadonlyMap<string, object> {
  return new Map(DASHBOARDS.map((dashboard) => [dashboard.name, dashboardOf(dashboard)]));
}

function dashboardOf({ name, title, panels }: Dashboard): object {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  const chosen = panels.some(({ queries }) => queries.some(([expr]) => expr.includes('$platform')));
  const platform = {
    name: 'platform',
    type: 'query',
    datasource,
    query: 'label_values(plumbline_platform_up, platform)',
    includeAll: true,
    multi: true,
    allValue: '.*',
    refresh: 2,
    current: { text: 'All', value: '$__all' },
  };
  return {
    uid: `plumbline-${name}`,
    title,
    tags: ['plumbline'],
    schemaVersion: 39,
    editable: true,
    refresh: '1m',
    time: { from: 'now-24h', to: 'now' },
    templating: {
      list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }, ...(chosen ? [platform] : [])],
    },
    panels: panels.map((panel, index) => panelOf(panel, index, datasource)),
  };
}

function panelOf({ title, type, unit, queries }: Panel, index: number, datasource: object): object {
  return {
    id: index + 1,
    title,
    type,
    datasource,
    gridPos: { x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: { unit }, overrides: [] },
    targets: queries.map(([expr, legendFormat], which) => ({
      refId: String.fromCodePoint(65 + which),
      expr,
      legendFormat,
      ...(type === 'timeseries'
        ? {}
        : { instant: true, range: false, format: type === 'table' ? 'table' : 'time_series' }),
    })),
  };
}
