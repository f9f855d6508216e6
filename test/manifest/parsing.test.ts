import { expect } from 'chai';
import { keys, load, told, yaml } from './loading.ts';

async function first(text: string | Buffer, file = 'a.yaml', limits = {}): Promise<string> {
  return told(await load({ [file]: text }, { limits }))[0] ?? 'no problem';
}

describe('parsing', () => {
  it('gives file, line and column of what is not YAML, and the remedy', async () => {
    expect(await first('a: b: c')).to.match(/^a.yaml:1:4: error: is not valid YAML: .* Put the value in quotes/);
    expect(await first('a:\n\tb: 1')).to.match(/^a.yaml:2:1: error: .*Tabs.* Indent with spaces/);
    expect(await first('a: [1, 2')).to.match(/^a.yaml:1:9: error/);
    expect(told(await load({ 'a.yaml': 'a: *nope' })).join()).to.match(/a.yaml:1:4: error: .*nope/);
  });

  it('refuses what YAML allows and people never mean', async () => {
    expect(await first(yaml('Application', 'a', 'spec:\n  title: x\n  title: y'))).to.match(
      /^a.yaml:6:3: error: "title" is given twice/,
    );
    expect(await first(yaml('Application', 'a', 'spec:\n  __proto__: {}'))).to.match(
      /^a.yaml:5:3: error: the name "__proto__" is not allowed/,
    );
    expect(await first(yaml('Integration', 'a', 'spec: {type: x, settings: {id: 12345678901234567890}}'))).to.match(
      /^a.yaml:4:32: error: 12345678901234567890 is too large/,
    );
    expect(await first(yaml('Integration', 'a', 'spec: {type: x, settings: {id: .inf}}'))).to.match(
      /not a number that JSON can hold/,
    );
    expect(await first(yaml('Application', 'a', 'spec: {title: !secret x}'))).to.match(/^a.yaml:4:15: error: .*tag/);
    expect(await first(yaml('Application', 'a', 'spec: {version: 2}'))).to.match(
      /a.yaml:4:8: error: spec.version must be a text, but is a number. Put it in quotes/,
    );
    expect(await first(yaml('Application', 'a', 'spec: {title: }'))).to.match(/spec.title has no value/);
  });

  it('reads anchors, merge keys, a byte order mark, comments, empty documents and JSON with tabs', async () => {
    const text = `\ufeff# comment\n---\n---\n${yaml('Integration', 'i', 'spec:\n  type: x\n  settings:\n    base: &b {a: 1, c: 2}\n    own:\n      <<: *b\n      a: 3\n    again: *b')}...\n`;
    const desired = await load({
      'a.yaml': text,
      'empty.yaml': '',
      'b.json': JSON.stringify(
        { apiVersion: 'plumbline.dev/v1alpha1', kind: 'Application', metadata: { name: 'j' } },
        null,
        '\t',
      ),
    });
    expect(told(desired)).to.deep.equal([]);
    expect(keys(desired)).to.deep.equal(['Application/j', 'Integration/i']);
    const spec = await desired.manifests.get('Integration/i')?.spec(AbortSignal.timeout(1000));
    expect(spec?.['settings']).to.deep.equal({ base: { a: 1, c: 2 }, own: { a: 3, c: 2 }, again: { a: 1, c: 2 } });
  });

  it('bounds alias bombs, depth, documents and size, and refuses bytes that are no text', async () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level < 9; level++) {
      const [name, below] = [String.fromCharCode(97 + level), String.fromCharCode(96 + level)];
      bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${below}`).join(',')}]`);
    }
    expect(await first(bomb.join('\n'))).to.match(/error: holds more than 100000 values/);
    expect(await first('a: &a [*a]')).to.match(/error/);
    expect(await first('['.repeat(100_000))).to.match(/nested too deeply/);
    expect(await first(`a: ${'['.repeat(150)}${']'.repeat(150)}`)).to.match(/nested more than 100 levels/);
    expect(await first(`${'['.repeat(5000)}${']'.repeat(5000)}`, 'a.json')).to.match(/nested more than 100 levels/);
    expect(await first('---\n# x\n'.repeat(5), 'a.yaml', { maxDocuments: 3 })).to.match(
      /^a.yaml:\d+:\d+: error: holds \d documents/,
    );
    expect(await first('a'.repeat(2000), 'a.yaml', { maxManifestBytes: 1000 })).to.match(
      /^a.yaml:1:1: error: the file has 2000 bytes/,
    );
    expect(await first('{"n": [1e999]}', 'a.json')).to.match(/^a.json:1:1: error: the file holds a number that is too/);
    expect(await first('{"n": 1}\n{"n": 2}', 'a.json')).to.match(/^a.json:2:1: error: the JSON of this file has ended/);
    expect(await first(Buffer.from([0x61, 0xff, 0x62]))).to.match(/^a.yaml:1:1: error: the file is not UTF-8/);
    expect(await first('a: 1\nb: \0')).to.match(/^a.yaml:2:4: error: the file holds a NUL/);
  });

  it('says where a quote opens that is never closed, and nothing about what it swallows', async () => {
    for (const [text, place] of [
      ['kind: Workflow\nmetadata: { name: "orders }\nspec:\n  title: x\n', '2:19'],
      ["a: 1\nb: 'open\nc: 2\n---\nd: x\n", '2:4'],
      ["a:\n  - 'x\n  - y\n", '2:5'],
      ['"open: 1\nb: 2\n', '1:1'],
    ] as const) {
      const problems = told(await load({ 'a.yaml': text }));
      expect(problems[0]).to.match(
        new RegExp(`^a.yaml:${place}: error: is not valid YAML: the quote that opens here is not closed`),
      );
      expect(problems.filter((one) => /not valid YAML/.test(one))).to.have.length(1);
    }
    expect(await first('a: [1, 2\nb: 3\n')).to.match(/^a.yaml:2:\d+: error: is not valid YAML/);
  });

  it('never quotes the text around an error in JSON, which may be a secret', async () => {
    const line = await first('{"password": "hunter2" "x": 1}', 'a.json');
    expect(line).to.match(/^a.json:1:24: error: the file is not valid JSON here/);
    expect(line).to.not.contain('hunter2');
    const inline = told(
      await load({ 'a.yaml': yaml('Integration', 'i', 'spec: {type: x, secrets: {value: hunter2}}') }),
    ).join();
    expect(inline).to.contain('spec.secrets.value must be a mapping').and.not.contain('hunter2');
  });

  it('points at annotations that it does not know, and at the ones with a wrong value', async () => {
    const text =
      'apiVersion: plumbline.dev/v1alpha1\nkind: Application\nmetadata:\n  name: a\n  annotations:\n    plumbline.dev/reconsile: disabled\n    plumbline.dev/allow-data-loss: "yes"\n    other/x: y\n';
    const lines = told(await load({ 'a.yaml': text }));
    expect(lines).to.have.length(2);
    expect(lines[0]).to.match(
      /^a.yaml:6:5: error: .*unknown annotation "plumbline.dev\/reconsile". Did you mean "plumbline.dev\/reconcile"\?/,
    );
    expect(lines[1]).to.match(/^a.yaml:7:5: error/);
  });
});
