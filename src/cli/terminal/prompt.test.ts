import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ExitError, type TerminalInput } from '../command.ts';
import { Prompt } from './prompt.ts';

/** A keyboard, what has been shown, and in which mode the terminal is. */
class Terminal {
  readonly stdin: TerminalInput & PassThrough;
  shown = '';
  raw = false;
  readonly prompt: Prompt;

  constructor() {
    const setRawMode = (raw: boolean): void => void (this.raw = raw);
    this.stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode });
    const write = (text: string): void => void (this.shown += text);
    this.prompt = new Prompt(this.stdin, {
      write,
      isTTY: true,
      columns: 80,
      rows: 24,
      stream: new PassThrough(),
    });
  }

  type(text: string): void {
    this.stdin.write(text);
  }
}

test('Prompt.line: one line without white space around it', async () => {
  const terminal = new Terminal();
  const answer = terminal.prompt.line('Name: ');
  terminal.type('  me and');
  terminal.type(' you \n');
  assert.equal(await answer, 'me and you');
  assert.equal(terminal.shown, 'Name: ');
});

test('Prompt: what is typed ahead answers the next question', async () => {
  const terminal = new Terminal();
  terminal.type('me\nsecret\nmore');
  assert.equal(await terminal.prompt.line('Name: '), 'me');
  assert.equal(await terminal.prompt.hiddenLine('Password: '), 'secret');
  terminal.stdin.end();
  assert.equal(await terminal.prompt.line('More: '), 'more');
  assert.equal(await terminal.prompt.line('Nothing: '), '');
});

test('Prompt.hiddenLine: keys mean what they mean, and nothing of it is shown', async () => {
  const terminal = new Terminal();
  const answer = terminal.prompt.hiddenLine('Password: ');
  assert.equal(terminal.raw, true);
  terminal.type('wrong\u0015sé\u007f');
  terminal.type('😀\b');
  terminal.type('\u0004ecret\r');
  assert.equal(await answer, 'secret');
  assert.equal(terminal.shown, 'Password: \n');
  assert.equal(terminal.raw, false);
});

test('Prompt.hiddenLine: a character may come in pieces', async () => {
  const terminal = new Terminal();
  const answer = terminal.prompt.hiddenLine('');
  const bytes = Buffer.from('pé\r');
  for (const byte of bytes) terminal.stdin.write(Buffer.from([byte]));
  assert.equal(await answer, 'pé');
});

test('Prompt.hiddenLine: ctrl-d and the end of the input are an empty answer', async () => {
  const terminal = new Terminal();
  terminal.type('\u0004');
  assert.equal(await terminal.prompt.hiddenLine(''), '');
  terminal.stdin.end();
  assert.equal(await terminal.prompt.hiddenLine(''), '');
});

test('Prompt.hiddenLine: ctrl-c gives up and leaves the terminal as it was', async () => {
  const terminal = new Terminal();
  const answer = terminal.prompt.hiddenLine('Password: ');
  terminal.type('sec\u0003');
  const error = await answer.catch((reason: unknown) => reason);
  assert.ok(error instanceof ExitError);
  assert.deepEqual([error.code, error.message], [130, '']);
  assert.equal(terminal.raw, false);
  assert.equal(terminal.shown, 'Password: \n');
});
