#!/usr/bin/env -S node --max-semi-space-size=8
// The flag bounds how far V8 lets its young generation grow before it tidies up; it cannot be set once the process runs.
import { main } from './cli/main.ts';

process.exitCode = await main(process.argv.slice(2));
