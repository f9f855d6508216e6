import { installControllerManager, installKubernetes } from './install.ts';

// Before the suites, because it takes minutes the first time, and no case has minutes.
await installKubernetes();
await installControllerManager();
