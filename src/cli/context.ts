import { resolve } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import type { RemoteApi } from '../daemon/remote-api.ts';
import type { Operations } from '../daemon/operations.ts';
import type { Environment } from './environment.ts';

/** Functions that colour text, or leave it as it is. */
export type Colors = ReturnType<typeof pc.createColors>;

/** Flags that every command takes. */
export interface GlobalFlags {
  readonly config: string;
  readonly stateDir: string;
  /** Undefined: the keys are made and kept in the state directory. */
  readonly keysDir: string | undefined;
  readonly listen: string;
  readonly listenHooks: string;
  readonly trustProxy: string;
  readonly installation: string;
  /** Empty: the ServiceAccount of the pod. */
  readonly kubeconfig: string;
  /** Empty: that of the kubeconfig's context, or of the pod. */
  readonly namespace: string;
  /** Whether the cluster's custom resources configure the daemon. */
  readonly customResources: 'auto' | 'off';
  /** Empty: all. */
  readonly watchNamespace: string;
  /** '0': no Leases. */
  readonly shards: string;
  readonly leaseDuration: string;
  readonly leaseRetry: string;
  /** Empty: rules of service levels are nobody's business here. */
  readonly prometheusRule: string;
  readonly logFormat: 'json' | 'pretty';
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
}

/** A connection to a running daemon, or this process's own engine; disposed when the command ends. */
export type Session = Operations & AsyncDisposable;

/** What a command works with: flags, output, and a way to the operations. */
export interface Context {
  readonly environment: Environment;
  readonly colours: Colors;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  print(text: string): void;
  /** For people, beside the output: progress, questions, remarks. */
  remark(text: string): void;
  /** Sets the exit code of the process. */
  exit(code: number): void;
  open(flags: GlobalFlags): Promise<Session>;
  /** The API of the daemon that runs on this state directory. @throws ReconcilerError `daemon-unreachable` when there is none. */
  api(flags: GlobalFlags): RemoteApi;
  /** Asks on the terminal. */
  confirm(question: string): Promise<boolean>;
}

/** One command: adds itself to the program. */
export type Register = (program: Command, context: Context) => void;

/** The flags with their paths made whole, so that nothing below depends on the working directory. */
export function globalFlags(command: Command): GlobalFlags {
  const flags = command.optsWithGlobals<GlobalFlags & { readonly keysDir: string }>();
  const { config, stateDir, keysDir } = flags;
  return {
    ...flags,
    config: resolve(config),
    stateDir: resolve(stateDir),
    keysDir: keysDir === '' ? undefined : resolve(keysDir),
  };
}

/** Prints as JSON where `-o json` asked for it, else as text. */
export function output(context: Context, format: string, value: unknown, text: () => string): void {
  context.print(format === 'json' ? JSON.stringify(value, undefined, 2) : text());
}

export function coloursFor(environment: Environment): Colors {
  return pc.createColors(environment.colour);
}
