'use strict';

const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

/** Replaces a file so that a crash leaves the old or the new one, never a part; only this account may read it. */
function writeAtomically(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  const descriptor = fs.openSync(temporary, 'wx', 0o600);
  try {
    fs.writeSync(descriptor, text);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(temporary, file);
  syncFolder(path.dirname(file));
}

/** Makes a rename durable where the operating system allows to open folders. */
function syncFolder(folder) {
  let descriptor;
  try {
    descriptor = fs.openSync(folder, 'r');
    fs.fsyncSync(descriptor);
  } catch {
    // Windows does not open folders; its renames are durable enough.
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/** The parsed file, or undefined when there is none. @throws when it is there but cannot be read. */
function readJson(file) {
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  return JSON.parse(text);
}

/** The identity of this user directory, made once and kept. */
function instanceId(folder) {
  const file = path.join(folder, 'instance.json');
  const known = readJson(file);
  if (typeof known?.instance === 'string') return known.instance;
  const instance = `node-red-${randomBytes(12).toString('hex')}`;
  writeAtomically(file, `${JSON.stringify({ instance })}\n`);
  return instance;
}

module.exports = { writeAtomically, readJson, instanceId };
