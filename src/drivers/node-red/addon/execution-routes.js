'use strict';

/** Executions, those that run and those that have ended, and the correlations by which Plumbline finds its own again. */
function executionRoutes(app, allow, executions) {
  app.get('/plumbline/executions', allow('plumbline.read'), (req, res) => {
    const wanted = Number.parseInt(req.query.limit, 10);
    const limit = Number.isInteger(wanted) && wanted >= 0 ? Math.min(wanted, 10_000) : 1000;
    res.json(executions.after(req.query.after, limit));
  });

  app.get('/plumbline/executions/totals', allow('plumbline.read'), (_req, res) => res.json(executions.totals()));

  app.get('/plumbline/executions/:id', allow('plumbline.read'), (req, res) =>
    found(res, executions.find(req.params.id)),
  );

  app.post('/plumbline/correlations', allow('plumbline.write'), (req, res) => {
    const status = executions.announced.announce(req.body ?? {});
    return res.status(status).json(status === 201 ? {} : { code: CODES[status] });
  });

  app.get('/plumbline/correlations/:id', allow('plumbline.read'), (req, res) =>
    found(res, executions.announced.view(req.params.id)),
  );
}

const CODES = { 409: 'announced-before', 422: 'invalid', 503: 'too-many' };

function found(res, item) {
  return item === undefined ? res.status(404).json({ code: 'not-found' }) : res.json(item);
}

module.exports = { executionRoutes };
