import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { AuthorizationV1Api, KubeConfig } from '@kubernetes/client-node';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';

describe('the control plane of the tests', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster[Symbol.asyncDispose]());

  it('authorises by RBAC: a ServiceAccount may do what was granted to it, and nothing else', async () => {
    await cluster.kubectl(['create', 'serviceaccount', 'reader']);
    await cluster.kubectl(['create', 'role', 'reader', '--verb=get,list', '--resource=configmaps']);
    await cluster.kubectl(['create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:reader']);
    const config = new KubeConfig();
    config.loadFromFile(await cluster.kubeconfigOf({ namespace: 'default', name: 'reader' }));
    const may = async (verb: string, resource: string): Promise<boolean> => {
      const review = await config.makeApiClient(AuthorizationV1Api).createSelfSubjectAccessReview({
        body: { spec: { resourceAttributes: { namespace: 'default', verb, resource } } },
      });
      return review.status?.allowed ?? false;
    };
    // The authoriser learns of a grant a moment after it was made.
    while (!(await may('list', 'configmaps'))) await pause(50);
    expect(await may('create', 'configmaps')).to.equal(false);
    expect(await may('get', 'secrets')).to.equal(false);
  });

  it('keeps what it holds over a restart of the API server', async () => {
    await cluster.kubectl(['create', 'configmap', 'kept', '--from-literal=word=stays']);
    await cluster.restart();
    expect(await cluster.kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.word}'])).to.equal('stays');
  });
});
